// DNS messages, unsigned: the questions and UPDATEs that a switch sends, and what answers say.
//
// libldns encodes and decodes; nothing of it shows here. Answers are decoded only after tsig.h has found
// them authentic. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dns/dns_switch.h"
#include "base/core/result.h"

namespace agent::dns {

// Larger answers to questions over UDP, and larger requests, go by TCP: what fits through any network.
inline constexpr size_t kLargestDatagram = 1232;

enum class RecordType { kA, kAaaa, kCname, kTxt, kSoa, kOther };

// Names are in their normal form (change.h). The id is 0: whoever sends the message chooses one.
base::Result<std::string> encode_question(const std::string& name, RecordType type);
void set_id(std::string& message, uint16_t id);
// From `standing`, which has to be exactly what is there, to `wanted`, all or nothing. Records of other
// types may stand beside addresses; beside a CNAME the usual ones make it fail.
base::Result<std::string> encode_update(const std::string& zone, const std::string& name,
                                        const NameState& standing, const NameState& wanted);

// Those that a server of ours may give to a question or an UPDATE.
enum class AnswerCode {
  kNoError,
  kFormatError,
  kServerFailure,
  kNoSuchName,
  kNotImplemented,
  kRefused,
  kNameInUse,      // YXDOMAIN, YXRRSET
  kRecordMissing,  // NXRRSET
  kNotAuthorized,  // NOTAUTH
  kNotInZone,
  kOther,
};
std::string_view to_string(AnswerCode code);  // "NXRRSET"

struct Record {
  std::string owner;
  RecordType type = RecordType::kOther;
  uint32_t ttl = 0;
  std::string value;  // an address, a name or a text's bytes in their normal form; else empty
};

struct Answer {
  AnswerCode code = AnswerCode::kOther;
  bool truncated = false;
  bool authoritative = false;
  std::vector<Record> records;  // the answer section
};
// kInvalid: it is no answer, or holds what no DNS message may.
base::Result<Answer> decode_answer(std::string_view bytes);

// The id and whether it is an answer, of anything that came; id -1: too short for a message.
struct Heading {
  int id = -1;
  bool is_answer = false;
  AnswerCode code = AnswerCode::kOther;
};
Heading heading_of(std::string_view bytes);

}  // namespace agent::dns
