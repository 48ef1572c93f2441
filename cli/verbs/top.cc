#include "cli/verbs/top.h"

#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <memory>
#include <thread>

#include "cli/verbs/context.h"

namespace cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kEnterScreen = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeaveScreen = "\x1b[?25h\x1b[?1049l";

// What a signal handler needs to put the terminal back; written before the handlers are set.
termios terminal_before;
volatile sig_atomic_t screen_is_ours = 0;
volatile sig_atomic_t keys_are_ours = 0;

// Async-signal-safe.
void put_terminal_back() {
  if (screen_is_ours) (void)!::write(STDOUT_FILENO, kLeaveScreen.data(), kLeaveScreen.size());
  if (keys_are_ours) ::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
  screen_is_ours = 0;
  keys_are_ours = 0;
}

// Leaving ends the process at once: the stream of events may be in the middle of a wait.
void leave(int) {
  put_terminal_back();
  ::_exit(kDone);
}

// Thread: main. Owner: run_top. Invariant: while it lives, every way out puts the terminal back.
class Screen {
 public:
  Screen() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, leave);
    if (::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &terminal_before) == 0) {
      termios raw = terminal_before;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      keys_are_ours = 1;
      ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
      std::thread(wait_for_q).detach();
    }
    screen_is_ours = 1;
    print(std::string(kEnterScreen));
  }
  ~Screen() { put_terminal_back(); }

 private:
  static void wait_for_q() {
    char key = 0;
    while (::read(STDIN_FILENO, &key, 1) == 1) {
      if (key == 'q' || key == 'Q') leave(0);
    }
  }
};

// Between attempts to reach an agent that is away.
void pause_a_second() {
  ::poll(nullptr, 0, 1000);
}

std::string picture_of(const std::string& data) {
  json::error_code failure;
  const json::value status = json::parse(data, failure);
  if (failure || !status.is_object()) return {};
  return status_view(status.get_object(), current_view());
}

}  // namespace

std::string screen_picture(const std::string& text, int rows) {
  std::string out = "\x1b[H";
  int line = 0;
  for (size_t at = 0; at < text.size() && line < rows; ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (line > 0) out += "\r\n";
    out += text.substr(at, end - at) + "\x1b[K";
    at = end + 1;
  }
  return out + "\x1b[J";
}

int run_top(const Api& api, int frames) {
  const Terminal terminal = Terminal::of_stdout();
  std::unique_ptr<Screen> screen;
  int drawn = 0;
  const auto draw = [&](const std::string& text) {
    if (!terminal.interactive) return print((drawn++ > 0 ? "\n" : "") + text) == kDone;
    ++drawn;
    return print(screen_picture(text, Terminal::of_stdout().rows)) == kDone;
  };
  bool more = true;
  while (more) {
    const auto result =
        api.events("/api/v1/events", [&](std::string_view name, const std::string& data) {
          if (name != "status") return true;
          const std::string text = picture_of(data);
          if (text.empty()) return true;
          if (terminal.interactive && !screen) screen = std::make_unique<Screen>();
          more = draw(text) && (frames == 0 || drawn < frames);
          return more;
        });
    if (!more) break;
    // Never reached: an answer. Reached before: the agent is being restarted, and comes back.
    if (drawn == 0 && !result) return report(result.error());
    if (terminal.interactive) {
      draw("the agent at " + api.url() + " is away; trying again (q leaves)\n");
    }
    pause_a_second();
  }
  return kDone;
}

}  // namespace cli
