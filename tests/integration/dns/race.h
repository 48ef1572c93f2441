// A race of executors for every generation of one name, with a reader that looks all the time.
#pragma once

#include <atomic>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

#include "agent/dns/change.h"
#include "tests/support/bind_server.h"
#include "tests/support/real_time.h"

namespace test {

struct RaceResult {
  int generations_with_one_winner = 0;
  int lost = 0;         // kConflict
  int neither = 0;      // anything else: there should be none
  int reads = 0;        // of the reader
  int empty_reads = 0;  // without a record: there should be none
  std::string trouble;  // the first error that was neither
  agent::dns::NameState last;
  std::string last_winner;
};

class Race {
 public:
  Race(const BindServer& server, std::string name, int executors, int generations)
      : options_(server.options()),
        name_(std::move(name)),
        executors_(executors),
        generations_(generations),
        line_(executors),
        winners_(static_cast<size_t>(generations) + 1) {}

  RaceResult run() {
    create();
    std::thread reader([this] { read(); });
    std::vector<std::thread> threads;
    for (int i = 0; i < executors_; ++i) threads.emplace_back([this, i] { execute(i); });
    for (std::thread& thread : threads) thread.join();
    over_ = true;
    reader.join();
    RealTime time;
    agent::dns::Rfc2136Switch names(time.io().get_executor(), time.timers(), options_);
    const auto views = time.run(names.read(name_, time.in(kPatience)));
    if (views && views->front().state) result_.last = *views->front().state;
    for (int g = 1; g <= generations_; ++g) {
      if (winners_[static_cast<size_t>(g)] == 1) ++result_.generations_with_one_winner;
    }
    result_.lost = lost_;
    result_.neither = neither_;
    return result_;
  }

 private:
  static constexpr base::Duration kPatience = std::chrono::seconds(30);

  // Generations are counted from 1000, where it begins.
  agent::dns::Change change_to(int generation, int who) const {
    agent::dns::Change change;
    change.name = name_;
    change.expected_generation = generation == 0 ? 0 : static_cast<uint64_t>(999 + generation);
    change.fence = static_cast<uint64_t>(1000 + generation);
    change.run = "run-" + std::to_string(generation) + "-" + std::to_string(who);
    if ((generation + who) % 2 == 0) {
      change.target.alias = "c" + std::to_string(who) + ".example.net";
    } else {
      change.target.addresses = {"10.0.0." + std::to_string(who)};
    }
    return change;
  }
  void create() {
    RealTime time;
    agent::dns::Rfc2136Switch names(time.io().get_executor(), time.timers(), options_);
    const auto made = time.run(names.change(change_to(0, 0), time.in(kPatience)));
    if (!made) result_.trouble = made.error().to_string();
  }
  void execute(int who) {
    RealTime time;
    agent::dns::Rfc2136Switch names(time.io().get_executor(), time.timers(), options_);
    for (int g = 1; g <= generations_; ++g) {
      line_.arrive_and_wait();
      const agent::dns::Change mine = change_to(g, who);
      const auto done = time.run(names.change(mine, time.in(kPatience)));
      if (done) {
        ++winners_[static_cast<size_t>(g)];
        if (g == generations_) result_.last_winner = mine.run;
      } else if (done.code() == base::ErrorCode::kConflict) {
        ++lost_;
      } else if (neither_++ == 0) {
        result_.trouble = done.error().to_string();
      }
      // Nobody goes on before everybody has tried.
      line_.arrive_and_wait();
    }
  }
  // One question is one look at one moment: whatever stands there is in its answer.
  void read() {
    RealTime time;
    agent::dns::Courier courier(time.io().get_executor(), time.timers(), options_.key);
    while (!over_) {
      std::vector<std::string> question;
      question.push_back(agent::dns::encode_question(name_, agent::dns::RecordType::kA).value());
      const auto answers =
          time.run(courier.ask(options_.servers.front(), question, time.in(kPatience)));
      if (!answers) continue;
      ++result_.reads;
      bool found = false;
      for (const agent::dns::Record& record : answers->front().records) {
        found = found || record.owner == name_;
      }
      if (!found) ++result_.empty_reads;
    }
  }

  const agent::dns::Rfc2136Options options_;
  const std::string name_;
  const int executors_;
  const int generations_;
  std::barrier<> line_;
  std::vector<std::atomic<int>> winners_;
  std::atomic<int> lost_{0}, neither_{0};
  std::atomic<bool> over_{false};
  RaceResult result_;  // each member has one writer at a time
};

}  // namespace test
