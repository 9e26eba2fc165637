/// \file AuditQuestion: asks an audit log whether anything of a kind ever left.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <hearth/result.h>

namespace hearth::tool {

/// Egress records that meet every condition are offenders, unless a later record says that those bytes were withheld.
/// What a record does not say, or what the text in it was not understood for, counts as meeting the condition.
class AuditQuestion {
 public:
  /// `class=phi & region=us`: class, model, label, region, endpoint with `=`; detected.TYPE with `>` and a number.
  /// kInvalidArgument names what is wrong.
  static Result<AuditQuestion> parse(const std::string& conditions);
  void also(const std::string& attribute, const std::string& value) { conditions_.push_back({attribute, value, 0}); }
  /// Records dated before this are left out.
  void since(std::int64_t at_s) { since_s_ = at_s; }

  /// A record of the log, in the log's order.
  void take(const std::string& record, std::uint64_t seq);

  /// Seq of each offender, in order.
  const std::set<std::uint64_t>& offenders() const { return offenders_; }
  std::uint64_t looked_at() const { return looked_at_; }
  /// Conditions whose value no record of the log names: perhaps a slip of the pen. `class "phy"`.
  std::vector<std::string> never_seen() const;
  std::string text() const;

 private:
  struct Condition {
    std::string attribute;  ///< As in the record; a detector's type for a count.
    std::string value;      ///< Empty for a count.
    std::uint64_t above = 0;
    bool seen = false;
  };

  std::vector<Condition> conditions_;
  std::int64_t since_s_ = 0;
  std::uint64_t looked_at_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> latest_;  ///< Request, attempt -> seq of offender.
  std::set<std::uint64_t> offenders_;                                        ///< Seq.
};

}  // namespace hearth::tool
