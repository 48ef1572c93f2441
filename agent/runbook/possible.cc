#include "agent/runbook/possible.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "agent/runbook/expression_node.h"

namespace agent::runbook {
namespace {

using Node = Expression::Node;
using Kind = Value::Kind;

// A comparison, or a truth by itself, that must hold or must not.
struct Atom {
  const Node* node;
  bool holds;
};
using Alternative = std::vector<Atom>;

// Beyond so many the answer is "possible".
constexpr size_t kMostAlternatives = 256;

using Alternatives = std::optional<std::vector<Alternative>>;  // nullopt: too many

Alternatives either(Alternatives left, Alternatives right) {
  if (!left || !right || left->size() + right->size() > kMostAlternatives) return std::nullopt;
  left->insert(left->end(), right->begin(), right->end());
  return left;
}

Alternatives both(const Alternatives& left, const Alternatives& right) {
  if (!left || !right || left->size() * right->size() > kMostAlternatives) return std::nullopt;
  std::vector<Alternative> all;
  for (const Alternative& one : *left) {
    for (const Alternative& other : *right) {
      all.push_back(one);
      all.back().insert(all.back().end(), other.begin(), other.end());
    }
  }
  return all;
}

Alternatives expand(const Node& node, bool holds) {
  switch (node.operation) {
    case Operation::kNot:
      return expand(*node.left, !holds);
    case Operation::kOr:
    case Operation::kAnd: {
      Alternatives left = expand(*node.left, holds), right = expand(*node.right, holds);
      const bool any = (node.operation == Operation::kOr) == holds;
      return any ? either(std::move(left), std::move(right)) : both(left, right);
    }
    default:
      return std::vector<Alternative>{{Atom{&node, holds}}};
  }
}

Operation opposite(Operation operation) {
  switch (operation) {
    case Operation::kEqual:
      return Operation::kUnequal;
    case Operation::kUnequal:
      return Operation::kEqual;
    case Operation::kLess:
      return Operation::kMoreEqual;
    case Operation::kLessEqual:
      return Operation::kMore;
    case Operation::kMore:
      return Operation::kLessEqual;
    case Operation::kMoreEqual:
      return Operation::kLess;
    default:
      return operation;
  }
}

// The same with its sides exchanged.
Operation mirrored(Operation operation) {
  switch (operation) {
    case Operation::kLess:
      return Operation::kMore;
    case Operation::kLessEqual:
      return Operation::kMoreEqual;
    case Operation::kMore:
      return Operation::kLess;
    case Operation::kMoreEqual:
      return Operation::kLessEqual;
    default:
      return operation;
  }
}

// What comparisons have left of a name's values.
class Left {
 public:
  explicit Left(const Domain& domain) : domain_(domain) {}

  void narrow(Operation operation, const Value& value) {
    if (value.kind != domain_.kind) return;  // that is another mistake
    if (value.kind == Kind::kText) return narrow_words(operation, value.text);
    switch (operation) {
      case Operation::kEqual:
        raise(value.number, false);
        lower(value.number, false);
        break;
      case Operation::kUnequal:
        holes_.insert(value.number);
        break;
      case Operation::kMore:
      case Operation::kMoreEqual:
        raise(value.number, operation == Operation::kMore);
        break;
      case Operation::kLess:
      case Operation::kLessEqual:
        lower(value.number, operation == Operation::kLess);
        break;
      default:
        break;
    }
  }
  void narrow(bool truth) { (truth ? may_be_false_ : may_be_true_) = false; }

  bool is_empty() const {
    switch (domain_.kind) {
      case Kind::kBoolean:
        return !may_be_true_ && !may_be_false_;
      case Kind::kText:
        return !domain_.words.empty() &&
               std::none_of(domain_.words.begin(), domain_.words.end(),
                            [this](const std::string& word) { return is_left(word); });
      case Kind::kNumber:
      case Kind::kDuration:
        if (domain_.low < domain_.high) return false;
        return domain_.low > domain_.high || low_open_ || high_open_ ||
               holes_.count(domain_.low) != 0;
      case Kind::kUnknown:
        return false;
    }
    return false;
  }

 private:
  void narrow_words(Operation operation, const std::string& word) {
    if (operation == Operation::kUnequal) without_.insert(word);
    if (operation != Operation::kEqual) return;
    const bool was_possible =
        domain_.words.empty() || std::count(domain_.words.begin(), domain_.words.end(), word) != 0;
    if (!was_possible) without_.insert(word);
    domain_.words = {word};
  }
  bool is_left(const std::string& word) const { return without_.count(word) == 0; }
  void raise(double low, bool open) {
    if (low < domain_.low) return;
    low_open_ = low > domain_.low ? open : low_open_ || open;
    domain_.low = low;
  }
  void lower(double high, bool open) {
    if (high > domain_.high) return;
    high_open_ = high < domain_.high ? open : high_open_ || open;
    domain_.high = high;
  }

  Domain domain_;
  bool low_open_ = false, high_open_ = false;
  std::set<double> holes_;
  std::set<std::string> without_;
  bool may_be_true_ = true, may_be_false_ = true;
};

// Whether some value of the one name compares so with some value of the other.
bool may_compare(Operation operation, const Domain& left, const Domain& right) {
  if (left.kind != right.kind) return true;
  if (left.kind != Kind::kNumber && left.kind != Kind::kDuration) return true;
  switch (operation) {
    case Operation::kLess:
      return left.low < right.high;
    case Operation::kLessEqual:
      return left.low <= right.high;
    case Operation::kMore:
      return left.high > right.low;
    case Operation::kMoreEqual:
      return left.high >= right.low;
    case Operation::kEqual:
      return left.low <= right.high && right.low <= left.high;
    default:
      return true;
  }
}

// Thread: one. Owner: can_hold().
class Trial {
 public:
  explicit Trial(const Domains& domains) : domains_(domains) {}

  bool is_possible(const Alternative& alternative) {
    left_.clear();
    return std::all_of(alternative.begin(), alternative.end(),
                       [this](const Atom& atom) { return take(atom); }) &&
           std::none_of(left_.begin(), left_.end(),
                        [](const auto& entry) { return entry.second.is_empty(); });
  }

 private:
  struct Operand {
    Value value;                   // a constant, or a word
    std::optional<Domain> domain;  // of a name
  };

  Operand operand(const Node& node) const {
    if (node.name.empty()) return {node.constant, std::nullopt};
    std::optional<Domain> domain = domains_(node.name, node.reference);
    if (!domain && node.reference) domain = Domain();
    if (domain) return {Value(), std::move(domain)};
    return {Value::word(node.name), std::nullopt};
  }
  Left& left_of(const Node& node, const Domain& domain) {
    return left_.try_emplace((node.reference ? "$" : "") + node.name, domain).first->second;
  }

  // False: it is impossible by itself.
  bool take(const Atom& atom) {
    const Node& node = *atom.node;
    if (node.operation == Operation::kOperand) return take_truth(node, atom.holds);
    const Operation operation = atom.holds ? node.operation : opposite(node.operation);
    const Operand left = operand(*node.left), right = operand(*node.right);
    if (is_never_known(left) || is_never_known(right)) return false;
    if (left.domain && right.domain) return may_compare(operation, *left.domain, *right.domain);
    if (left.domain) {
      left_of(*node.left, *left.domain).narrow(operation, right.value);
    } else if (right.domain) {
      left_of(*node.right, *right.domain).narrow(mirrored(operation), left.value);
    } else {
      return compare(operation, left.value, right.value) == Truth::kYes;
    }
    return true;
  }

  bool take_truth(const Node& node, bool holds) {
    const Operand truth = operand(node);
    if (is_never_known(truth)) return false;
    if (truth.domain) {
      left_of(node, *truth.domain).narrow(holds);
      return true;
    }
    return truth.value.text == (holds ? "true" : "false");
  }

  static bool is_never_known(const Operand& operand) {
    return operand.domain && operand.domain->is_never_known;
  }

  const Domains& domains_;
  std::map<std::string, Left> left_;
};

}  // namespace

bool can_hold(const std::vector<const Expression*>& conditions, const Domains& domains) {
  Alternatives all = std::vector<Alternative>{{}};
  for (const Expression* condition : conditions) {
    if (condition->root() != nullptr) all = both(all, expand(*condition->root(), true));
  }
  if (!all) return true;
  Trial trial(domains);
  return std::any_of(all->begin(), all->end(), [&trial](const Alternative& alternative) {
    return trial.is_possible(alternative);
  });
}

}  // namespace agent::runbook
