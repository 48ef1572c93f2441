#include "agent/conns/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "agent/conns/bpf/layout.h"
#include "agent/conns/top.h"
#include "base/net/fd.h"
#include "base/telemetry/log.h"
#include "conns.skel.h"

namespace agent::conns {
namespace {

static_assert(sizeof(conns_client) == 64 && sizeof(conns_lane) % 4096 == 0);
static_assert(CONNS_SLOTS >= kMaxSlots && CONNS_RTT_BUCKETS == kRttBuckets);

// Above this share of the cells in use, those of clients that left are looked for.
constexpr size_t kCrowded = CONNS_CLIENTS / 2;
constexpr size_t kReclaimedAtOnce = 4096;
constexpr int kGraceMs = 100;

int quiet(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char text[200];
  std::vsnprintf(text, sizeof text, format, arguments);
  base::log::debug("libbpf", {{"text", text}});
  return 0;
}

base::Error bpf_error(const char* what, int number) {
  const bool forbidden = number == EPERM || number == EACCES;
  return base::Error(forbidden ? base::ErrorCode::kPermission : base::ErrorCode::kUnavailable,
                     std::string(what) + ": " + std::strerror(number) +
                         (forbidden ? "; this needs CAP_BPF and CAP_PERFMON" : ""));
}

// Waits until no program runs any more that began before: a grace period of the kernel's.
void wait_for_running_programs() {
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
  // Not on kernels that keep CPUs free of ticks; programs there run for less than a microsecond.
  ::poll(nullptr, 0, kGraceMs);
}

// A mapping of an array map's values. The kernel writes them while they are read.
template <class Value>
class Values {
  static_assert(sizeof(Value) % 8 == 0, "the kernel puts values at multiples of 8 bytes");

 public:
  Values() = default;
  base::Result<> map(int file, size_t count) {
    count_ = count;
    void* at = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) return bpf_error("cannot map counters", errno);
    values_ = static_cast<Value*>(at);
    return base::Done{};
  }
  ~Values() {
    if (values_ != nullptr) ::munmap(values_, bytes());
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  Value& operator[](size_t at) const { return values_[at]; }
  size_t size() const { return count_; }

 private:
  size_t bytes() const { return (count_ * sizeof(Value) + 4095) / 4096 * 4096; }
  Value* values_ = nullptr;
  size_t count_ = 0;
};

template <class T>
T load(const T& cell) {
  return __atomic_load_n(&cell, __ATOMIC_RELAXED);
}

template <class T>
void store(T& cell, T value) {
  __atomic_store_n(&cell, value, __ATOMIC_RELEASE);
}

// What a cell's word holds (layout.h): established connections …
int64_t connections_in(int64_t word) {
  constexpr int kAbove = 64 - CONNS_OPENED_SHIFT;
  return static_cast<int64_t>(static_cast<uint64_t>(word) << kAbove) >> kAbove;
}

// … and how many were opened.
uint64_t opened_in(int64_t word) {
  return static_cast<uint64_t>(word - connections_in(word)) >> CONNS_OPENED_SHIFT;
}

uint64_t not_negative(int64_t value) {
  return value < 0 ? 0 : static_cast<uint64_t>(value);
}

}  // namespace

// A cell that is being taken back, and the name that it had.
struct BpfSource::Nameless {
  uint32_t number;
  conns_client_key key;
};

struct BpfSource::Kernel {
  ~Kernel() { conns_bpf::destroy(skeleton); }
  base::Result<> open(const Slots& slots);
  base::Result<> set_watch(const Slots& slots);
  void give_cells();
  base::Result<> walk() const;
  uint64_t missed() const;
  uint64_t lost() const;
  void clear_bank(uint32_t bank);
  std::vector<uint32_t> idle_cells(uint32_t bank);
  std::vector<Nameless> cut_off(const std::vector<uint32_t>& idle);
  std::vector<uint32_t> end(const std::vector<Nameless>& candidates, uint32_t bank);
  uint32_t word() const { return __atomic_load_n(&skeleton->bss->gate.control, __ATOMIC_ACQUIRE); }
  void set_word(uint32_t value) {
    __atomic_store_n(&skeleton->bss->gate.control, value, __ATOMIC_RELEASE);
  }

  conns_bpf* skeleton = nullptr;
  Values<conns_lane> lanes;  // one for each CPU, then the walk's
  Values<conns_client> cells;
  Values<uint64_t> numbers;
  std::vector<bool> unnamed;  // cells that the last round of reclaiming found without touch

  // So that no reader sums up a bank while it is emptied.
  mutable std::mutex mutex;
  bool seeded = false;
  uint64_t missed_when_seeded = 0, lost_when_seeded = 0, seedings = 0;
};

base::Result<> BpfSource::Kernel::open(const Slots& slots) {
  libbpf_set_print(quiet);
  skeleton = conns_bpf::open();
  if (skeleton == nullptr) return bpf_error("cannot read the BPF programs", errno);
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 1) return bpf_error("cannot count the CPUs", -cpus);
  struct stat own {};
  if (::stat("/proc/self/ns/net", &own) != 0) return bpf_error("/proc/self/ns/net", errno);
  skeleton->rodata->own_namespace = static_cast<uint32_t>(own.st_ino);
  skeleton->rodata->walk_lane = static_cast<uint32_t>(cpus);
  bpf_map__set_max_entries(skeleton->maps.lanes, static_cast<uint32_t>(cpus) + 1);
  if (const int failed = conns_bpf::load(skeleton); failed != 0) {
    return bpf_error("the kernel does not take the BPF programs", -failed);
  }
  auto mapped = lanes.map(bpf_map__fd(skeleton->maps.lanes), static_cast<size_t>(cpus) + 1);
  if (mapped.ok()) mapped = cells.map(bpf_map__fd(skeleton->maps.client_cells), CONNS_CLIENTS);
  if (mapped.ok()) mapped = numbers.map(bpf_map__fd(skeleton->maps.cell_numbers), CONNS_CLIENTS);
  if (!mapped.ok()) return mapped;
  for (uint32_t i = 0; i < CONNS_CLIENTS; ++i) {
    numbers[i] = i;
    cells[i].slot = CONNS_FREE;
  }
  skeleton->bss->cells_given = CONNS_CLIENTS;
  unnamed.resize(CONNS_CLIENTS);
  auto watched = set_watch(slots);
  if (!watched.ok()) return watched;
  if (const int failed = conns_bpf::attach(skeleton); failed != 0) {
    return bpf_error("the kernel does not attach the BPF programs", -failed);
  }
  return base::Done{};
}

base::Result<> BpfSource::Kernel::set_watch(const Slots& slots) {
  for (const auto& [number, port] : slots.ports()) {
    uint16_t value = static_cast<uint16_t>(port.others + 1);
    if (!port.by_address.empty()) value |= CONNS_BY_ADDRESS;
    for (const auto& [address, slot] : port.by_address) {
      conns_listener_key key{};
      std::memcpy(key.address, address.data(), sizeof key.address);
      key.port = number;
      const uint32_t at = slot;
      const int failed =
          bpf_map__update_elem(skeleton->maps.listeners, &key, sizeof key, &at, sizeof at, BPF_ANY);
      if (failed != 0) return bpf_error("cannot name a listener", -failed);
    }
    skeleton->bss->watch[number] = value;
    skeleton->bss->gate.ports[number % 256 / 64] |= uint64_t{1} << (number % 64);
  }
  return base::Done{};
}

// Runs the seeding program for every socket of this namespace; it says nothing, so one read is enough
// unless the kernel takes a break (EAGAIN, every million sockets).
base::Result<> BpfSource::Kernel::walk() const {
  const base::net::UniqueFd walker(bpf_iter_create(bpf_link__fd(skeleton->links.seed)));
  if (!walker.valid()) return bpf_error("no walk over the sockets", errno);
  char nothing[64];
  while (true) {
    const ssize_t size = ::read(walker.get(), nothing, sizeof nothing);
    if (size == 0) return base::Done{};
    if (size < 0 && errno != EAGAIN && errno != EINTR) return bpf_error("the walk failed", errno);
  }
}

uint64_t BpfSource::Kernel::missed() const {
  uint64_t sum = 0;
  for (const bpf_program* program : {skeleton->progs.on_state, skeleton->progs.on_retransmit}) {
    bpf_prog_info info{};
    uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0) {
      sum += info.recursion_misses;
    }
  }
  return sum;
}

uint64_t BpfSource::Kernel::lost() const {
  uint64_t sum = 0;
  for (size_t lane = 0; lane < lanes.size(); ++lane) sum += load(lanes[lane].lost);
  return sum;
}

void BpfSource::Kernel::clear_bank(uint32_t bank) {
  for (size_t lane = 0; lane < lanes.size(); ++lane) {
    for (conns_slot& slot : lanes[lane].slots) {
      std::fill(std::begin(slot.states[bank]), std::end(slot.states[bank]), 0);
    }
    lanes[lane].untracked[bank] = 0;
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    const int64_t word = load(cells[i].words[bank]);
    if (word == 0) continue;
    cells[i].opened += opened_in(word);
    cells[i].words[bank] = 0;
  }
}

BpfSource::BpfSource(Slots slots, std::unique_ptr<Kernel> kernel)
    : slots_(std::move(slots)), kernel_(std::move(kernel)) {}

BpfSource::~BpfSource() = default;

base::Result<std::unique_ptr<BpfSource>> BpfSource::attach(const std::vector<WatchedPort>& ports) {
  auto slots = Slots::create(ports);
  if (!slots.ok()) return slots.error();
  auto kernel = std::make_unique<Kernel>();
  auto opened = kernel->open(*slots);
  if (!opened.ok()) return opened.error();
  return std::unique_ptr<BpfSource>(new BpfSource(std::move(*slots), std::move(kernel)));
}

base::Result<> BpfSource::seed() {
  Kernel& kernel = *kernel_;
  const uint32_t before = kernel.word();
  const uint32_t bank = before & CONNS_BANK;
  const uint32_t generation = (before >> CONNS_GENERATION_SHIFT) + 1;
  const uint32_t numbered = generation << CONNS_GENERATION_SHIFT;
  {
    const std::lock_guard lock(kernel.mutex);
    kernel.clear_bank(bank ^ 1);
  }
  const uint64_t missed = kernel.missed();
  const uint64_t lost = kernel.lost();
  kernel.set_word(numbered | CONNS_SEEDING | bank);
  // From here on every change of state leaves a mark; the walk may begin when no program runs that
  // does not know it yet.
  wait_for_running_programs();
  auto walked = kernel.walk();
  if (walked.ok() && kernel.lost() != lost) {
    walked = base::Error(base::ErrorCode::kExhausted, "no memory for marks on sockets");
  }
  // Without the walk the other bank stays in use.
  kernel.set_word(numbered | (walked.ok() ? bank ^ 1 : bank));
  wait_for_running_programs();
  if (!walked.ok()) return walked;
  const std::lock_guard lock(kernel.mutex);
  kernel.seeded = true;
  kernel.missed_when_seeded = missed;
  kernel.lost_when_seeded = lost;
  ++kernel.seedings;
  return base::Done{};
}

bool BpfSource::is_doubtful() const {
  return !kernel_->seeded || kernel_->missed() != kernel_->missed_when_seeded;
}

// A cell may go when it has no connection and nobody can count one into it any more. A client may come
// back at any moment of this, so:
// 1. Hints are cut off (CONNS_NAMELESS). The name stays, and closings go on finding the cell by it.
// 2. After a grace period whoever found it by a hint has counted what it counts. From here on an opening
//    comes by the name and gives the slot back before it counts, by a compare and swap (kept_cell()).
// 3. Without connections still, the slot goes to CONNS_ENDING by a compare and swap: either an
//    opening was first and the cell stays, or every later one sees that it is too late. So the name
//    is removed from a cell that counts nothing and will count nothing, and no closing will miss
//    it.
// 4. After another grace period nobody who found it by the name is still at it: the number is given back.
//
// An opening that finds no cell left, or is too late in step 3, is untracked, but its closing may
// find a later cell by the name, which then holds one too few. So below zero is idle too, and what
// such a cell held, or one to which a closing came in step 3, goes to the untracked in step 4: the
// sum is right again.
bool BpfSource::reclaim_clients() {
  Kernel& kernel = *kernel_;
  if (kernel.word() & CONNS_SEEDING) return false;
  const uint32_t bank = kernel.word() & CONNS_BANK;
  const uint32_t taken = load(kernel.skeleton->bss->cells_taken);
  const uint32_t given = load(kernel.skeleton->bss->cells_given);
  if (CONNS_CLIENTS - (given - taken) < kCrowded) return false;
  const std::vector<Nameless> candidates = kernel.cut_off(kernel.idle_cells(bank));
  if (candidates.empty()) return true;
  wait_for_running_programs();
  const std::vector<uint32_t> ended = kernel.end(candidates, bank);
  if (ended.empty()) return true;
  wait_for_running_programs();
  uint32_t end = given;
  const std::lock_guard lock(kernel.mutex);
  // The walk's lane is nobody's but this thread's while there is no walk.
  __s64& untracked = kernel.lanes[kernel.lanes.size() - 1].untracked[bank];
  for (const uint32_t i : ended) {
    conns_client& cell = kernel.cells[i];
    untracked += connections_in(cell.words[bank]);
    cell.words[0] = cell.words[1] = 0;
    store(cell.slot, uint32_t{CONNS_FREE});
    kernel.unnamed[i] = false;
    kernel.numbers[end % CONNS_CLIENTS] = i;
    ++end;
  }
  __atomic_store_n(&kernel.skeleton->bss->cells_given, end, __ATOMIC_RELEASE);
  return true;
}

// Those that have no connection and were left alone for a whole round: only then are they worth a system
// call.
std::vector<uint32_t> BpfSource::Kernel::idle_cells(uint32_t bank) {
  std::vector<uint32_t> idle;
  for (uint32_t i = 0; i < CONNS_CLIENTS && idle.size() < kReclaimedAtOnce; ++i) {
    conns_client& cell = cells[i];
    if (load(cell.slot) == CONNS_FREE) continue;
    if (connections_in(load(cell.words[bank])) > 0) {
      unnamed[i] = false;
      continue;
    }
    const bool untouched = __atomic_exchange_n(&cell.touched, 0, __ATOMIC_RELAXED) == 0;
    if (untouched && unnamed[i]) idle.push_back(i);
    unnamed[i] = untouched;
  }
  return idle;
}

std::vector<BpfSource::Nameless> BpfSource::Kernel::cut_off(const std::vector<uint32_t>& idle) {
  const int names = bpf_map__fd(skeleton->maps.client_numbers);
  std::vector<Nameless> list;
  for (const uint32_t i : idle) {
    conns_client& cell = cells[i];
    if (load(cell.touched) != 0) continue;
    Nameless nameless{i, {}};
    std::memcpy(nameless.key.address, cell.address, sizeof nameless.key.address);
    nameless.key.slot = load(cell.slot);
    if (nameless.key.slot != CONNS_NAMELESS) {
      uint32_t number = 0;
      if (bpf_map_lookup_elem(names, &nameless.key, &number) != 0 || number != i) continue;
      store(cell.slot, uint32_t{CONNS_NAMELESS});
    }
    list.push_back(nameless);
  }
  return list;
}

std::vector<uint32_t> BpfSource::Kernel::end(const std::vector<Nameless>& candidates,
                                             uint32_t bank) {
  const int names = bpf_map__fd(skeleton->maps.client_numbers);
  std::vector<uint32_t> ended;
  for (const auto& [i, key] : candidates) {
    conns_client& cell = cells[i];
    // One that never had its name was found by nobody.
    if (key.slot != CONNS_NAMELESS) {
      uint32_t slot = CONNS_NAMELESS;
      const bool used = load(cell.touched) != 0 || connections_in(load(cell.words[bank])) > 0;
      const uint32_t next = used ? key.slot : CONNS_ENDING;
      const bool changed = __atomic_compare_exchange_n(&cell.slot, &slot, next, false,
                                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
      if (used || !changed) continue;
      if (bpf_map_delete_elem(names, &key) != 0) {
        store(cell.slot, key.slot);
        continue;
      }
    }
    ended.push_back(i);
  }
  return ended;
}

void BpfSource::fill(Counts& counts) const {
  const Kernel& kernel = *kernel_;
  counts.source = SourceKind::kBpf;
  counts.listeners = slots_.listeners();
  const std::lock_guard lock(kernel.mutex);
  const uint32_t bank = kernel.word() & CONNS_BANK;
  int64_t untracked = 0;
  for (size_t lane = 0; lane < kernel.lanes.size(); ++lane) {
    untracked += load(kernel.lanes[lane].untracked[bank]);
  }
  for (size_t i = 0; i < counts.listeners.size(); ++i) {
    ListenerCounts& to = counts.listeners[i];
    std::array<int64_t, kStates> states{};
    for (size_t lane = 0; lane < kernel.lanes.size(); ++lane) {
      const conns_slot& from = kernel.lanes[lane].slots[i];
      for (size_t state = 0; state < kStates; ++state)
        states[state] += load(from.states[bank][state]);
      to.opened += load(from.opened);
      to.closed += load(from.closed);
      to.aborted += load(from.aborted);
      to.failed += load(from.failed);
      to.retransmits += load(from.retransmits);
      to.bytes_in += load(from.bytes_in);
      to.bytes_out += load(from.bytes_out);
      for (size_t b = 0; b < kRttBuckets; ++b) to.rtt[b] += load(from.rtt[b]);
    }
    std::transform(states.begin(), states.end(), to.states.begin(), not_negative);
  }
  counts.untracked = not_negative(untracked);
  counts.clients = CONNS_CLIENTS - (load(kernel.skeleton->bss->cells_given) -
                                    load(kernel.skeleton->bss->cells_taken));
  counts.missed_events = kernel.missed();
  counts.seedings = kernel.seedings;
  counts.known = kernel.seeded;
  counts.exact = kernel.seeded && counts.missed_events == kernel.missed_when_seeded;
}

std::vector<ClientCount> BpfSource::top_clients(size_t limit) const {
  const Kernel& kernel = *kernel_;
  TopClients top(slots_.size(), limit);
  const std::lock_guard lock(kernel.mutex);
  const uint32_t bank = kernel.word() & CONNS_BANK;
  // Numbers are given out in order until the first ones come back.
  const bool in_order = load(kernel.skeleton->bss->cells_given) == CONNS_CLIENTS;
  const size_t end = in_order ? load(kernel.skeleton->bss->cells_taken) : CONNS_CLIENTS;
  for (size_t i = 0; i < end; ++i) {
    const conns_client& cell = kernel.cells[i];
    const int64_t word = load(cell.words[bank]);
    const int64_t connections = connections_in(word);
    // Once: it may be taken back meanwhile.
    const uint32_t slot = load(cell.slot);
    if (connections <= 0 || slot >= slots_.size()) continue;
    ClientCount count;
    std::memcpy(count.client.data(), cell.address, count.client.size());
    count.listener = slot;
    count.connections = static_cast<uint64_t>(connections);
    // Openings are counted in the bank in use alone, and stay where they were until it is built anew.
    count.opened = cell.opened + opened_in(load(cell.words[0])) + opened_in(load(cell.words[1]));
    count.bytes = load(cell.bytes);
    top.add(count);
  }
  return top.take();
}

}  // namespace agent::conns
