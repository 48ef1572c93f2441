#include <signal.h>

#include "cli/verbs/verbs.h"

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that leaves is a failed write
  return cli::run_tool(argc, argv);
}
