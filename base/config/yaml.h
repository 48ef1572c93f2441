// Strict YAML: every file that people write is read through here.
//
// A reader walks the document with Map and Node views, asks for the keys it knows with the type,
// range and default it wants, and calls finish(), which reports every key nobody asked for. All
// problems are collected, none stops the walk, so that a person sees all of them at once:
//
//   proxy.yaml:7:16: limits.connections: got "many", expected an integer from 1 to 1000000
//   proxy.yaml:9:1: lsiten: unknown key, expected one of: listen, workers, … (did you mean listen?)
//
// yaml-cpp takes duplicate keys and reads 010 as 8; here a duplicate is a problem and numbers are
// plain decimals. Anchors, aliases and tags are refused (alias bombs); files are at most 16 MiB.
// Durations are "250ms", "3s", "5m", "2h", "1d"; sizes "512", "64KiB", "100MiB", "1GiB"; shares
// "15%" or 0.15. No exception leaves this room.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace base::config {

struct Place {
  std::string file;
  int line = 0;  // from 1
  int column = 0;
  std::string to_string() const;  // "file:line:column"; "file" where line is 0
};

// Collects what is wrong with one or more documents, at most kKept of them; the others are counted.
class Problems {
 public:
  static constexpr size_t kKept = 200;

  void add(Place place, std::string key, std::string message);
  bool empty() const { return list_.empty(); }
  size_t size() const { return list_.size() + beyond_; }
  // One line per problem, in document order; files in the order of their first problem.
  std::string to_string() const;
  // kInvalid with to_string(), or success.
  Result<> result() const;

 private:
  struct Entry {
    Place place;
    std::string text;
  };
  std::vector<Entry> list_;
  size_t beyond_ = 0;
};

class Map;

// One value of the document. Cheap to copy; keeps the document alive.
class Node {
 public:
  Place place() const;
  const std::string& path() const;  // "clusters[0].backends"
  bool is_map() const;
  bool is_list() const;
  bool is_text() const;  // any scalar
  bool is_null() const;
  bool is_quoted() const;

  // Each reports to the Problems given at parse when the node has another type or is out of range,
  // and then returns a harmless value (min, 0, false, "", nothing).
  Map map() const;
  std::vector<Node> list() const;
  std::string text() const;
  int64_t integer(int64_t min, int64_t max) const;
  double number(double min, double max) const;
  bool boolean() const;  // true or false, nothing else
  Duration duration(Duration min, Duration max) const;
  uint64_t bytes(uint64_t min, uint64_t max) const;
  double share() const;  // 0..1
  // One of `names`; the index into it.
  size_t choice(const std::vector<std::string>& names) const;
  // For "got …, expected …" of the reader's own. Prints the value: not for secrets.
  void problem(std::string_view expected) const;
  // For anything else; prints no value.
  void problem_text(std::string message) const;
  // Key and value of every entry of a map whose keys are names chosen by the user.
  std::vector<std::pair<std::string, Node>> entries() const;

 private:
  friend class Map;
  friend class Document;
  struct Impl;
  explicit Node(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// A mapping read key by key. Call finish() last.
class Map {
 public:
  explicit Map(Node node);

  bool has(std::string_view key);
  // Present and not null, else nullopt; marks the key as known.
  std::optional<Node> optional(std::string_view key);
  // Missing: a problem, and a null node that reads as harmless values without further problems.
  Node required(std::string_view key);

  // The fallback stands for a value that is missing, and for one that has been reported as wrong.
  std::string text(std::string_view key, std::string fallback);
  int64_t integer(std::string_view key, int64_t fallback, int64_t min, int64_t max);
  double number(std::string_view key, double fallback, double min, double max);
  bool boolean(std::string_view key, bool fallback);
  Duration duration(std::string_view key, Duration fallback, Duration min, Duration max);
  uint64_t bytes(std::string_view key, uint64_t fallback, uint64_t min, uint64_t max);
  double share(std::string_view key, double fallback);
  // One of `names`; the index into it.
  size_t choice(std::string_view key, size_t fallback, const std::vector<std::string>& names);

  const Node& node() const { return node_; }
  // Reports every key that was not asked for.
  void finish();

 private:
  Node node_;
  std::set<std::string, std::less<>> known_;
};

// A parsed document. Problems found while reading go to `problems`, which must outlive the nodes.
class Document {
 public:
  // Syntax errors, duplicates, anchors and oversize are problems too; the root is then null.
  static Node parse(std::string_view text, std::string file, Problems& problems);
  // The same from a file; a missing or unreadable file is a problem at 0:0.
  static Node load(const std::string& path, Problems& problems);
};

}  // namespace base::config
