/// \file well_formed: whether a page of ours is what a browser need not guess at.
#pragma once

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

namespace hearth::test {

/// Every '<' begins a tag, and every start tag has its end tag, in order; void elements and self-closed ones aside.
inline bool well_formed(std::string page) {
  const std::string doctype = "<!doctype html>\n";
  if (page.rfind(doctype, 0) != 0) return false;
  page.erase(0, doctype.size());
  static const std::regex kTag(R"(<(/?)([a-z0-9]+)((?:\s+[A-Za-z0-9:-]+="[^"<]*")*)\s*(/?)>)");
  std::vector<std::string> open;
  std::smatch tag;
  for (auto at = page.cbegin(); (at = std::find(at, page.cend(), '<')) != page.cend(); at = tag[0].second) {
    if (!std::regex_search(at, page.cend(), tag, kTag, std::regex_constants::match_continuous)) return false;
    if (tag[4] == "/" || tag[2] == "meta") continue;
    if (tag[1] != "/") {
      open.push_back(tag[2]);
    } else if (open.empty() || open.back() != tag[2]) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace hearth::test
