// What a Node points at: an item of a tree, and the path by which it was reached.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/config/tree.h"
#include "base/config/yaml.h"

namespace base::config {

struct Node::Impl {
  std::shared_ptr<const Tree> tree;
  const Item* item;  // of the tree, or the silent one below
  std::string path;
  Place place;

  static Node make(std::shared_ptr<const Tree> tree, uint32_t index, std::string path);
  // Stands below `near` for a value that is missing or wrong and has been reported.
  static Node silent(const Node& near, std::string path);

  bool is(Item::Kind kind) const { return item->kind == kind; }
  // "got "many", expected an integer from 1 to 9"; nothing for a silent node.
  void report(std::string_view expected, std::string_view remedy = "") const;

  // The values, or a report and nothing.
  std::optional<std::string> text() const;
  std::optional<int64_t> integer(int64_t min, int64_t max) const;
  std::optional<double> number(double min, double max) const;
  std::optional<bool> boolean() const;
  std::optional<Duration> duration(Duration min, Duration max) const;
  std::optional<uint64_t> bytes(uint64_t min, uint64_t max) const;
  std::optional<double> share() const;
  std::optional<size_t> choice(const std::vector<std::string>& names) const;

 private:
  template <class T, class Parse>
  std::optional<T> scalar(Parse parse, T min, T max, bool may_be_quoted,
                          const std::string& expected) const;
};

}  // namespace base::config
