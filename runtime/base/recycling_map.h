/// \file RecyclingMap: a hash map that keeps the nodes of what was erased, so that steady work allocates nothing.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hearth {

/// The parts of std::unordered_map that are used here. Keeps at most as many spare nodes as it ever held at a time.
/// Threads: none of its own.
template <class Key, class Value>
class RecyclingMap {
  using Map = std::unordered_map<Key, Value>;

 public:
  using iterator = typename Map::iterator;

  iterator begin() { return map_.begin(); }
  iterator end() { return map_.end(); }
  iterator find(const Key& key) { return map_.find(key); }
  bool contains(const Key& key) const { return map_.contains(key); }
  std::size_t size() const { return map_.size(); }

  /// `key` must not be there yet.
  iterator emplace(const Key& key, Value value) {
    if (spare_.empty()) return map_.emplace(key, std::move(value)).first;
    auto node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = key;
    node.mapped() = std::move(value);
    return map_.insert(std::move(node)).position;
  }
  void erase(iterator at) { spare_.push_back(map_.extract(at)); }

 private:
  Map map_;
  std::vector<typename Map::node_type> spare_;
};

}  // namespace hearth
