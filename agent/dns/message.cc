#include "agent/dns/message.h"

#include <ldns/ldns.h>

#include <cstdlib>
#include <memory>

#include "agent/dns/change.h"
#include "base/core/check.h"

namespace agent::dns {
namespace {

using base::Error;
using base::ErrorCode;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
struct FreeList {
  void operator()(ldns_rr_list* list) const { ldns_rr_list_deep_free(list); }
};
struct FreeRecord {
  void operator()(ldns_rr* record) const { ldns_rr_free(record); }
};
struct FreeField {
  void operator()(ldns_rdf* field) const { ldns_rdf_deep_free(field); }
};
struct FreeBytes {
  void operator()(void* bytes) const { ::free(bytes); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;
using List = std::unique_ptr<ldns_rr_list, FreeList>;
using RecordPointer = std::unique_ptr<ldns_rr, FreeRecord>;
using Field = std::unique_ptr<ldns_rdf, FreeField>;

Field name_field(const std::string& name) {
  return Field(ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, (name + ".").c_str()));
}

ldns_rr_type to_ldns(RecordType type) {
  switch (type) {
    case RecordType::kA:
      return LDNS_RR_TYPE_A;
    case RecordType::kAaaa:
      return LDNS_RR_TYPE_AAAA;
    case RecordType::kCname:
      return LDNS_RR_TYPE_CNAME;
    case RecordType::kTxt:
      return LDNS_RR_TYPE_TXT;
    case RecordType::kSoa:
      return LDNS_RR_TYPE_SOA;
    case RecordType::kOther:
      break;
  }
  return LDNS_RR_TYPE_ANY;
}

RecordType from_ldns(ldns_rr_type type) {
  for (const RecordType known : {RecordType::kA, RecordType::kAaaa, RecordType::kCname,
                                 RecordType::kTxt, RecordType::kSoa}) {
    if (to_ldns(known) == type) return known;
  }
  return RecordType::kOther;
}

Field value_field(RecordType type, const std::string& value) {
  switch (type) {
    case RecordType::kA:
      return Field(ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, value.c_str()));
    case RecordType::kAaaa:
      return Field(ldns_rdf_new_frm_str(LDNS_RDF_TYPE_AAAA, value.c_str()));
    case RecordType::kCname:
      return name_field(value);
    default:
      return Field(ldns_rdf_new_frm_str(LDNS_RDF_TYPE_STR, value.c_str()));
  }
}

// Collects the records of one section of an UPDATE; one that cannot be made spoils it.
class Section {
 public:
  explicit Section(ldns_rr_class normal) : list_(ldns_rr_list_new()), class_(normal) {}

  bool good() const { return good_; }
  const ldns_rr_list* list() const { return list_.get(); }

  void value(const std::string& name, RecordType type, uint32_t ttl, const std::string& value) {
    RecordPointer record = make(name, to_ldns(type), class_, ttl);
    Field field = value_field(type, value);
    good_ = good_ && record && field && ldns_rr_push_rdf(record.get(), field.get());
    if (!good_) return;
    field.release();
    push(std::move(record));
  }
  // ANY: "is there" or "delete all"; NONE: "is not there".
  void bare(const std::string& name, RecordType type, ldns_rr_class cls) {
    bare(name, to_ldns(type), cls);
  }
  void bare(const std::string& name, ldns_rr_type type, ldns_rr_class cls) {
    push(make(name, type, cls, 0));
  }

 private:
  RecordPointer make(const std::string& name, ldns_rr_type type, ldns_rr_class cls, uint32_t ttl) {
    RecordPointer record(ldns_rr_new());
    Field owner = name_field(name);
    good_ = good_ && record && owner;
    if (!good_) return nullptr;
    ldns_rr_set_owner(record.get(), owner.release());
    ldns_rr_set_type(record.get(), type);
    ldns_rr_set_class(record.get(), cls);
    ldns_rr_set_ttl(record.get(), ttl);
    return record;
  }
  void push(RecordPointer record) {
    good_ = good_ && record && ldns_rr_list_push_rr(list_.get(), record.get());
    if (good_) record.release();
  }

  List list_;
  ldns_rr_class class_;
  bool good_ = true;
};

bool has(const Target& target, RecordType type) {
  if (type == RecordType::kCname) return !target.alias.empty();
  for (const std::string& address : target.addresses) {
    if (is_ipv4(address) == (type == RecordType::kA)) return true;
  }
  return false;
}

void add_records(Section& section, const std::string& name, const Target& target, uint32_t ttl) {
  if (!target.alias.empty()) section.value(name, RecordType::kCname, ttl, target.alias);
  for (const std::string& address : target.addresses) {
    section.value(name, is_ipv4(address) ? RecordType::kA : RecordType::kAaaa, ttl, address);
  }
}

constexpr RecordType kTargetTypes[] = {RecordType::kCname, RecordType::kA, RecordType::kAaaa};

// What else a person may have put at a name. DNS has no way to require "nothing else", so that these are
// named; whatever is not is found out afterwards (rfc2136_switch.cc, half_done).
constexpr ldns_rr_type kOtherTypes[] = {LDNS_RR_TYPE_TXT,   LDNS_RR_TYPE_MX,    LDNS_RR_TYPE_SRV,
                                        LDNS_RR_TYPE_NS,    LDNS_RR_TYPE_CAA,   LDNS_RR_TYPE_HTTPS,
                                        LDNS_RR_TYPE_SVCB,  LDNS_RR_TYPE_PTR,   LDNS_RR_TYPE_NAPTR,
                                        LDNS_RR_TYPE_DNAME, LDNS_RR_TYPE_DS,    LDNS_RR_TYPE_SOA,
                                        LDNS_RR_TYPE_TLSA,  LDNS_RR_TYPE_SSHFP, LDNS_RR_TYPE_LOC,
                                        LDNS_RR_TYPE_HINFO, LDNS_RR_TYPE_RP,    LDNS_RR_TYPE_URI};

// Exactly `standing`: neither less nor more of a target's records.
void require(Section& section, const std::string& name, const NameState& standing) {
  const std::string beside = generation_name(name);
  if (standing.generation == 0) {
    section.bare(beside, RecordType::kTxt, LDNS_RR_CLASS_NONE);
  } else {
    section.value(beside, RecordType::kTxt, 0, generation_text(standing.generation, standing.run));
  }
  if (standing.target.empty()) {
    section.bare(name, RecordType::kOther, LDNS_RR_CLASS_NONE);  // the name is not in use
    return;
  }
  add_records(section, name, standing.target, 0);
  for (const RecordType type : kTargetTypes) {
    if (!has(standing.target, type)) section.bare(name, type, LDNS_RR_CLASS_NONE);
  }
}

// A server ignores a CNAME beside anything else in silence and does the rest (RFC 2136, 3.4.2.2): the
// name would have its new generation and no records at all.
void require_alone(Section& section, const std::string& name) {
  for (const ldns_rr_type type : kOtherTypes) section.bare(name, type, LDNS_RR_CLASS_NONE);
}

// Deletions come first, because a CNAME has to be alone.
void replace(Section& section, const std::string& name, const NameState& wanted) {
  const std::string beside = generation_name(name);
  for (const RecordType type : kTargetTypes) section.bare(name, type, LDNS_RR_CLASS_ANY);
  section.bare(beside, RecordType::kTxt, LDNS_RR_CLASS_ANY);
  const auto ttl = static_cast<uint32_t>(wanted.ttl.count());
  add_records(section, name, wanted.target, ttl);
  section.value(beside, RecordType::kTxt, ttl, generation_text(wanted.generation, wanted.run));
}

base::Result<std::string> encode(ldns_pkt* packet) {
  uint8_t* bytes = nullptr;
  size_t size = 0;
  const ldns_status status = ldns_pkt2wire(&bytes, packet, &size);
  const std::unique_ptr<uint8_t, FreeBytes> owner(bytes);
  if (status != LDNS_STATUS_OK) {
    return Error(ErrorCode::kInternal,
                 std::string("a DNS message: ") + ldns_get_errorstr_by_id(status));
  }
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

Error not_made(const std::string& name) {
  return Error(ErrorCode::kInternal, name + ": no DNS message can be made of this");
}

AnswerCode code_of(int rcode) {
  switch (rcode) {
    case LDNS_RCODE_NOERROR:
      return AnswerCode::kNoError;
    case LDNS_RCODE_FORMERR:
      return AnswerCode::kFormatError;
    case LDNS_RCODE_SERVFAIL:
      return AnswerCode::kServerFailure;
    case LDNS_RCODE_NXDOMAIN:
      return AnswerCode::kNoSuchName;
    case LDNS_RCODE_NOTIMPL:
      return AnswerCode::kNotImplemented;
    case LDNS_RCODE_REFUSED:
      return AnswerCode::kRefused;
    case LDNS_RCODE_YXDOMAIN:
    case LDNS_RCODE_YXRRSET:
      return AnswerCode::kNameInUse;
    case LDNS_RCODE_NXRRSET:
      return AnswerCode::kRecordMissing;
    case LDNS_RCODE_NOTAUTH:
      return AnswerCode::kNotAuthorized;
    case LDNS_RCODE_NOTZONE:
      return AnswerCode::kNotInZone;
    default:
      return AnswerCode::kOther;
  }
}

// "www.Example." -> "www.example"; what is no host name stays as libldns writes it.
std::string name_text(const ldns_rdf* field) {
  const std::unique_ptr<char, FreeBytes> text(ldns_rdf2str(field));
  if (!text) return "";
  auto normal = normal_name(text.get());
  return normal ? *normal : std::string(text.get());
}

// The strings of a TXT record, joined.
std::string text_of(const ldns_rr* record) {
  std::string text;
  for (size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
    const ldns_rdf* field = ldns_rr_rdf(record, i);
    const size_t size = ldns_rdf_size(field);
    // Its first byte is its length.
    if (size > 1) text.append(reinterpret_cast<const char*>(ldns_rdf_data(field)) + 1, size - 1);
  }
  return text;
}

Record record_of(const ldns_rr* from) {
  Record record;
  record.owner = name_text(ldns_rr_owner(from));
  if (ldns_rr_get_class(from) != LDNS_RR_CLASS_IN || ldns_rr_rd_count(from) == 0) return record;
  record.type = from_ldns(ldns_rr_get_type(from));
  record.ttl = ldns_rr_ttl(from);
  const ldns_rdf* field = ldns_rr_rdf(from, 0);
  if (record.type == RecordType::kCname) record.value = name_text(field);
  if (record.type == RecordType::kTxt) record.value = text_of(from);
  if (record.type == RecordType::kA || record.type == RecordType::kAaaa) {
    const std::unique_ptr<char, FreeBytes> text(ldns_rdf2str(field));
    if (text) record.value = normal_address(text.get()).value_or("");
  }
  return record;
}

}  // namespace

std::string_view to_string(AnswerCode code) {
  switch (code) {
    case AnswerCode::kNoError:
      return "NOERROR";
    case AnswerCode::kFormatError:
      return "FORMERR";
    case AnswerCode::kServerFailure:
      return "SERVFAIL";
    case AnswerCode::kNoSuchName:
      return "NXDOMAIN";
    case AnswerCode::kNotImplemented:
      return "NOTIMP";
    case AnswerCode::kRefused:
      return "REFUSED";
    case AnswerCode::kNameInUse:
      return "YXDOMAIN";
    case AnswerCode::kRecordMissing:
      return "NXRRSET";
    case AnswerCode::kNotAuthorized:
      return "NOTAUTH";
    case AnswerCode::kNotInZone:
      return "NOTZONE";
    case AnswerCode::kOther:
      break;
  }
  return "another code";
}

base::Result<std::string> encode_question(const std::string& name, RecordType type) {
  Field owner = name_field(name);
  if (!owner) return not_made(name);
  const Packet packet(ldns_pkt_query_new(owner.release(), to_ldns(type), LDNS_RR_CLASS_IN, 0));
  if (!packet) return not_made(name);
  ldns_pkt_set_id(packet.get(), 0);
  ldns_pkt_set_edns_udp_size(packet.get(), kLargestDatagram);
  return encode(packet.get());
}

void set_id(std::string& message, uint16_t id) {
  CHECK(message.size() >= 2);
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}

base::Result<std::string> encode_update(const std::string& zone, const std::string& name,
                                        const NameState& standing, const NameState& wanted) {
  if (wanted.target.empty()) return not_made(name);
  Section prerequisites(LDNS_RR_CLASS_IN), updates(LDNS_RR_CLASS_IN);
  require(prerequisites, name, standing);
  // Where the name is not in use nothing is beside it.
  if (!wanted.target.alias.empty() && !standing.target.empty()) require_alone(prerequisites, name);
  replace(updates, name, wanted);
  Field owner = name_field(zone);
  if (!owner || !prerequisites.good() || !updates.good()) return not_made(name);
  const Packet packet(ldns_update_pkt_new(owner.get(), LDNS_RR_CLASS_IN, prerequisites.list(),
                                          updates.list(), nullptr));
  if (!packet) return not_made(name);
  owner.release();  // the packet has it
  ldns_pkt_set_id(packet.get(), 0);
  return encode(packet.get());
}

base::Result<Answer> decode_answer(std::string_view bytes) {
  ldns_pkt* decoded = nullptr;
  const ldns_status status =
      ldns_wire2pkt(&decoded, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (status != LDNS_STATUS_OK) {
    return Error(ErrorCode::kInvalid,
                 std::string("this is no DNS message: ") + ldns_get_errorstr_by_id(status));
  }
  const Packet packet(decoded);
  if (!ldns_pkt_qr(packet.get())) return Error(ErrorCode::kInvalid, "this is no answer");
  Answer answer;
  answer.code = code_of(ldns_pkt_get_rcode(packet.get()));
  answer.truncated = ldns_pkt_tc(packet.get());
  answer.authoritative = ldns_pkt_aa(packet.get());
  const ldns_rr_list* list = ldns_pkt_answer(packet.get());
  // An UPDATE's answer has prerequisites there, if anything.
  if (ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY) return answer;
  for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    answer.records.push_back(record_of(ldns_rr_list_rr(list, i)));
  }
  return answer;
}

Heading heading_of(std::string_view bytes) {
  Heading heading;
  if (bytes.size() < 12) return heading;
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(bytes[at]); };
  heading.id = byte(0) << 8 | byte(1);
  heading.is_answer = (byte(2) & 0x80) != 0;
  heading.code = code_of(byte(3) & 0x0f);
  return heading;
}

}  // namespace agent::dns
