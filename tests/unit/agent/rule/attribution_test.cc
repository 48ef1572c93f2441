#include "agent/rule/attribution.h"

#include <gtest/gtest.h>

namespace {

using agent::rule::attribute;
using agent::rule::Attribution;
using agent::rule::MatrixCell;
using Kind = Attribution::Kind;

std::vector<MatrixCell> matrix(const std::vector<std::vector<double>>& rows) {
  std::vector<MatrixCell> cells;
  for (uint32_t r = 0; r < rows.size(); ++r) {
    for (uint32_t c = 0; c < rows[r].size(); ++c) cells.push_back({r, c, rows[r][c]});
  }
  return cells;
}

TEST(Attribution, ASlowRowIsAProxy) {
  const Attribution found = attribute(matrix({{-5, -5, -5}, {30, 28, 31}, {-5, -5, -5}}));
  EXPECT_EQ(found.kind, Kind::kRow);
  EXPECT_EQ(found.row, 1U);
  EXPECT_GT(found.margin, 10);
}

TEST(Attribution, ASlowColumnIsABackend) {
  const Attribution found = attribute(matrix({{-5, 30}, {-4, 28}, {-6, 33}}));
  EXPECT_EQ(found.kind, Kind::kColumn);
  EXPECT_EQ(found.column, 1U);
}

TEST(Attribution, OneSlowLinkIsThatLink) {
  const Attribution found = attribute(matrix({{-5, 40}, {-4, -8}}));
  EXPECT_EQ(found.kind, Kind::kLink);
  EXPECT_EQ(found.row, 0U);
  EXPECT_EQ(found.column, 1U);
}

TEST(Attribution, EverythingSlowIsTheNetwork) {
  EXPECT_EQ(attribute(matrix({{30, 25}, {20, 28}})).kind, Kind::kAll);
}

TEST(Attribution, SeveralRowsOfManyAreTheNetworkToo) {
  const Attribution found = attribute(matrix({{30, 30}, {28, 31}, {-9, -9}, {33, 30}, {-9, -9}}));
  EXPECT_EQ(found.kind, Kind::kAll);
}

TEST(Attribution, OthersThatAreALittleSlowDoNotMakeOneProxyTheCluster) {
  Attribution found = attribute(matrix({{2, 8}, {42, 51}}));
  EXPECT_EQ(found.kind, Kind::kRow);
  EXPECT_EQ(found.row, 1U);
  EXPECT_GT(found.margin, 20) << "no other place is nearly as good";
  found = attribute(matrix({{44, 38}, {12, 0}}));
  EXPECT_EQ(found.kind, Kind::kRow);
  EXPECT_EQ(found.row, 0U);
}

TEST(Attribution, NorOneLinkAProxyOrTheCluster) {
  const Attribution found = attribute(matrix({{6, 1}, {78, 2}}));
  EXPECT_EQ(found.kind, Kind::kLink);
  EXPECT_EQ(found.row, 1U);
  EXPECT_EQ(found.column, 0U);
}

TEST(Attribution, AProxyOfFewRequestsThatIsAsSlowAsTheOtherBelongsToTheTrouble) {
  std::vector<MatrixCell> cells = matrix({{45, 45}, {5, 5}});
  EXPECT_EQ(attribute(cells).kind, Kind::kRow);
  cells[0].requests = cells[1].requests = 90;
  cells[2].requests = cells[3].requests = 10;
  EXPECT_EQ(attribute(cells).kind, Kind::kAll);
}

TEST(Attribution, WithOneProxyItsRowIsTheCluster) {
  EXPECT_EQ(attribute(matrix({{30, 25}})).kind, Kind::kAll);
  EXPECT_EQ(attribute(matrix({{30, -25}})).kind, Kind::kColumn);
  EXPECT_EQ(attribute(matrix({{30}})).kind, Kind::kAll);
}

TEST(Attribution, NothingKnownScoresNothing) {
  EXPECT_LE(attribute({}).score, 0);
}

}  // namespace
