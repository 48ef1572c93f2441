#include "agent/rule/attribution.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace agent::rule {

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
  return best;
}

}  // namespace agent::rule
