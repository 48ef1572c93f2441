// Attribution: where in the proxy-backend matrix of a cluster the trouble is.
//
// Each cell brings the log likelihood ratio "faulty against usual" of its link since the onset: a link
// that is well argues against every hypothesis that contains it. Compared are everything, each row (a
// proxy), each column (a backend), each single link, and any set of rows or of columns; each pays the
// logarithm of the number of choices it had. The best one wins; what no row, column or link
// explains alone is the cluster's network. A place that is a part of the best one is preferred when all
// the rest gives less than a third of what its share of the requests would give if it were as faulty: a
// machine short of a core makes some requests slow everywhere, which is no reason to call one slow
// proxy the cluster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace agent::rule {

struct MatrixCell {
  uint32_t row = 0;
  uint32_t column = 0;
  double evidence = 0;
  double requests = 1;  // that the evidence is about
};

struct Attribution {
  enum class Kind { kAll, kRow, kColumn, kLink };
  Kind kind = Kind::kAll;
  uint32_t row = 0;     // of kRow, kLink
  uint32_t column = 0;  // of kColumn, kLink
  double score = 0;     // evidence minus what the freedom of choice costs
  // Above the best hypothesis of another kind or place, not counting a wider one that it is preferred to.
  double margin = 0;
};

// Rows and columns are those that occur in `cells`. With a single row, row and everything are the
// same and count as everything; likewise columns.
Attribution attribute(const std::vector<MatrixCell>& cells);

}  // namespace agent::rule
