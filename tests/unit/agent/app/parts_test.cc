#include "agent/app/parts.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>

#include "tests/support/fake_region.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::app {
namespace {

TEST(Foundation, ADiskThatStandsStillForTheRecordingOrThePageStopsNothingOfTheOther) {
  test::TempDir dir;
  test::ManualClock clock;
  Foundation ground(AppOptions{dir.path()}, test::small_region(dir.path()), clock);
  for (auto* stuck : {&ground.record_disk, &ground.page_disk}) {
    auto* other = stuck == &ground.record_disk ? &ground.page_disk : &ground.record_disk;
    std::promise<void> moves, written;
    boost::asio::post(*stuck, [moved = moves.get_future().share()] { moved.wait(); });
    boost::asio::post(*other, [&written] { written.set_value(); });
    written.get_future().wait();  // for ever, if one thread did both
    moves.set_value();
  }
}

}  // namespace
}  // namespace agent::app
