#include "agent/web/agent_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <set>

#include "base/core/file.h"
#include "base/telemetry/exposition.h"
#include "tests/support/fake_operator_api.h"
#include "tests/support/temp_dir.h"

namespace agent::web {
namespace {

std::vector<prometheus::MetricFamily> every_family() {
  AgentCounters counters;
  counters.incidents_opened["proxy_dead"] = 3;
  counters.runs_finished[{"replace-proxy", "completed"}] = 2;
  counters.canary_requests[{"amber", "ok"}] = 100;
  counters.telemetry_age_seconds["amber-proxy-2"] = 0.05;
  counters.alerts_received["firing"] = 1;
  counters.recording_events["failing"] = 12;
  counters.machine_memory_bytes = 8'000'000'000;
  counters.page_last_success = base::WallTime{1'795'418'897'042'000'000};
  ConnectionMetrics& connections = counters.connections;
  connections.source = "bpf";
  connections.exact = true;
  connections.by_state[{"amber-proxy-1", "established"}] = 1000;
  for (auto* each :
       {&connections.opened, &connections.closed, &connections.aborted, &connections.failed,
        &connections.retransmits, &connections.queue, &connections.queue_drops}) {
    (*each)["amber-proxy-1"] = 7;
  }
  EchoMetrics& echoes = counters.echoes;
  echoes.trips["amber-proxy-1/amber-backend-1"] = {{{0.001, 4}, {0.002, 5}}, 5, 0.003};
  for (auto* each : {&echoes.asked, &echoes.lost, &echoes.late}) {
    (*each)["amber-proxy-1/amber-backend-1"] = 7;
  }
  echoes.answered = 3;
  echoes.dropped["malformed"] = 1;
  WebCounters web;
  web.requests[200] = 9;
  std::vector<prometheus::MetricFamily> all = status_families(test::sample_status());
  for (auto& family : counter_families(counters)) all.push_back(std::move(family));
  for (auto& family : web_families(web)) all.push_back(std::move(family));
  return all;
}

TEST(AgentMetrics, AreExactlyThoseOfTheList) {
  std::set<std::string> exported, listed;
  for (const auto& family : every_family()) {
    EXPECT_TRUE(exported.insert(family.name).second) << family.name << " appears twice";
  }
  for (const MetricInfo& info : agent_metrics()) listed.insert(std::string(info.name));
  EXPECT_EQ(exported, listed);
}

TEST(AgentMetrics, CarryTheLabelsOfTheList) {
  for (const auto& family : every_family()) {
    std::string_view wanted;
    for (const MetricInfo& info : agent_metrics()) {
      if (info.name == family.name) wanted = info.labels;
    }
    for (const auto& metric : family.metric) {
      std::string labels;
      for (const auto& label : metric.label) labels += (labels.empty() ? "" : ", ") + label.name;
      EXPECT_EQ(labels, wanted) << family.name;
    }
  }
}

TEST(AgentMetrics, AreListedInTheDocument) {
  const base::Result<std::string> document = base::read_file("docs/metrics.md");
  ASSERT_TRUE(document.ok());
  size_t rows = 0;
  for (size_t at = document->find("\n| `mcguard_agent_"); at != std::string::npos;
       at = document->find("\n| `mcguard_agent_", at + 1)) {
    ++rows;
  }
  EXPECT_EQ(rows, agent_metrics().size());
  for (const MetricInfo& info : agent_metrics()) {
    const bool counter = info.type == prometheus::MetricType::Counter;
    const bool histogram = info.type == prometheus::MetricType::Histogram;
    const std::string row = "| `" + std::string(info.name) + "` | " +
                            (counter     ? "counter"
                             : histogram ? "histogram"
                                         : "gauge") +
                            " | " + std::string(info.labels) +
                            (info.labels.empty() ? "| " : " | ") + std::string(info.help) + " |";
    EXPECT_THAT(*document, ::testing::HasSubstr(row));
  }
}

TEST(AgentMetrics, CountWhatStatusHolds) {
  const std::string text = base::telemetry::expose(status_families(test::sample_status()),
                                                   base::telemetry::ExpositionFormat::kText004);
  for (const char* line :
       {"mcguard_agent_proxies{cluster=\"amber\",state=\"dead\"} 1",
        "mcguard_agent_backends{cluster=\"amber\",state=\"ejected\"} 1",
        "mcguard_agent_cluster_state{cluster=\"amber\",state=\"degraded\"} 1",
        "mcguard_agent_cluster_state{cluster=\"amber\",state=\"healthy\"} 0",
        "mcguard_agent_cluster_epoch{cluster=\"birch\"} 3",
        "mcguard_agent_incidents{type=\"proxy_dead\",state=\"mitigating\"} 1",
        "mcguard_agent_runs{runbook=\"replace-proxy\",state=\"awaiting_approval\"} 1",
        "mcguard_agent_info{version=\"0.1.0\"} 1"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(std::string(line) + "\n"));
  }
}

TEST(AgentMetrics, SatisfyPromtool) {
  ASSERT_EQ(::system("command -v promtool >/dev/null 2>&1"), 0)
      << "promtool is not installed (package prometheus); ./check installs it";
  test::TempDir folder;
  const std::string file = folder.file("metrics.txt");
  const std::string text =
      base::telemetry::expose(every_family(), base::telemetry::ExpositionFormat::kText004);
  ASSERT_TRUE(base::write_file_atomic(file, text, base::Durability::kRenameOnly).ok());
  const int status = ::system(("promtool check metrics < " + file + " 1>&2").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 0) << text;
}

}  // namespace
}  // namespace agent::web
