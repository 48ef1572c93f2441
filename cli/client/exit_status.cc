#include "cli/client/exit_status.h"

namespace cli {

ExitStatus exit_status_of(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::kInvalid:
      return kUsage;
    case base::ErrorCode::kRefused:
      return kRefused;
    case base::ErrorCode::kNotFound:
      return kNotFound;
    case base::ErrorCode::kUnavailable:
    case base::ErrorCode::kTimeout:
      return kUnreachable;
    default:
      return kFailed;
  }
}

}  // namespace cli
