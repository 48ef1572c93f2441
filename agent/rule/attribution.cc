#include "agent/rule/attribution.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace agent::rule {

namespace {

constexpr double kOfTheRest = 1.0 / 3;  // of what the rest would give if it were as faulty

bool is_within(const MatrixCell& cell, const Attribution& place) {
  using Kind = Attribution::Kind;
  const bool row = cell.row == place.row, column = cell.column == place.column;
  switch (place.kind) {
    case Kind::kAll:
      return true;
    case Kind::kRow:
      return row;
    case Kind::kColumn:
      return column;
    case Kind::kLink:
      break;
  }
  return row && column;
}

bool is_part_of(const Attribution& place, const Attribution& wider) {
  using Kind = Attribution::Kind;
  if (place.kind == wider.kind) return false;
  if (wider.kind == Kind::kAll) return true;
  return place.kind == Kind::kLink && is_within({place.row, place.column}, wider);
}

double requests_within(const std::vector<MatrixCell>& cells, const Attribution& place) {
  double sum = 0;
  for (const MatrixCell& cell : cells) sum += is_within(cell, place) ? cell.requests : 0;
  return sum;
}

// The best part of that place which nearly accounts for it; null: none does. The choices are sorted.
const Attribution* enough_of(const Attribution& place, const std::vector<Attribution>& choices,
                             const std::vector<MatrixCell>& cells) {
  const double all = requests_within(cells, place);
  if (place.score <= 0 || all <= 0) return nullptr;
  for (const Attribution& part : choices) {
    if (part.score <= (1 - kOfTheRest) * place.score) break;
    if (!is_part_of(part, place)) continue;
    const double rest = 1 - requests_within(cells, part) / all;
    if (place.score - part.score < kOfTheRest * rest * place.score) return &part;
  }
  return nullptr;
}

}  // namespace

Attribution attribute(const std::vector<MatrixCell>& cells) {
  using Kind = Attribution::Kind;
  std::map<uint32_t, double> rows, columns;
  double all = 0;
  for (const MatrixCell& cell : cells) {
    rows[cell.row] += cell.evidence;
    columns[cell.column] += cell.evidence;
    all += cell.evidence;
  }
  const auto row_count = static_cast<double>(std::max<size_t>(rows.size(), 1));
  const auto column_count = static_cast<double>(std::max<size_t>(columns.size(), 1));

  // A set of rows or of columns is trouble of more than one member: the cluster's.
  const auto best_set = [](const std::map<uint32_t, double>& members) {
    double sum = 0;
    size_t chosen = 0;
    for (const auto& [member, evidence] : members) {
      if (evidence <= 0) continue;
      sum += evidence;
      ++chosen;
    }
    return chosen < 2 ? -1e9 : sum - static_cast<double>(members.size()) * std::log(2);
  };
  std::vector<Attribution> choices;
  choices.push_back({Kind::kAll, 0, 0, std::max({all, best_set(rows), best_set(columns)}), 0});
  if (rows.size() > 1) {
    for (const auto& [row, evidence] : rows) {
      choices.push_back({Kind::kRow, row, 0, evidence - std::log(row_count), 0});
    }
  }
  if (columns.size() > 1) {
    for (const auto& [column, evidence] : columns) {
      choices.push_back({Kind::kColumn, 0, column, evidence - std::log(column_count), 0});
    }
  }
  if (rows.size() > 1 && columns.size() > 1) {
    for (const MatrixCell& cell : cells) {
      const double cost = std::log(row_count * column_count);
      choices.push_back({Kind::kLink, cell.row, cell.column, cell.evidence - cost, 0});
    }
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Attribution& a, const Attribution& b) { return a.score > b.score; });
  Attribution best = choices.front();
  best.margin = choices.size() > 1 ? best.score - choices[1].score : best.score;
  const Attribution* chosen = nullptr;
  while (const Attribution* const part = enough_of(chosen ? *chosen : best, choices, cells)) {
    chosen = part;
  }
  if (chosen == nullptr) return best;
  best = *chosen;
  best.margin = best.score;
  // What contains it is no other place: it was found to be no better.
  for (const Attribution& other : choices) {
    if (&other == chosen || is_part_of(best, other)) continue;
    best.margin = std::min(best.margin, best.score - other.score);
  }
  return best;
}

}  // namespace agent::rule
