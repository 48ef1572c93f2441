// SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause OR GPL-2.0-only
//
// Counts TCP sockets as they change state, in the kernel: by watched listener, state and client.
//
// on_state runs at every change of a TCP socket's state and moves one from the old state's count to the
// new one's. seed walks all sockets once and counts those that were there before. So that no socket is
// counted twice or never while both run, each one that is counted during the walk carries a mark with
// its counted state (layout.h: banks); whoever comes first counts it, under the socket's lock. After the
// walk every mark equals its socket's state, so marks are left alone and the cheap path is exact.
//
// Kernel structures are named here with the few members in use; libbpf finds their places in the running
// kernel's type information. The build needs no kernel headers and none of that information.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "layout.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
  unsigned int inum;
};
struct net {
  struct ns_common ns;
};
typedef struct {
  struct net* net;
} possible_net_t;
struct in6_addr {
  union {
    __be32 u6_addr32[4];
  } in6_u;
};
struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
  struct sock_common __sk_common;
  __u16 sk_protocol;
};
struct inet_sock {
  struct sock sk;
  __be16 inet_sport;
};
struct inet_connection_sock {
  struct inet_sock icsk_inet;
};
struct tcp_sock {
  struct inet_connection_sock inet_conn;
  __u32 srtt_us;
  __u64 bytes_received;
  __u64 bytes_acked;
};
struct seq_file;
struct bpf_iter_meta {
  struct seq_file* seq;
};
struct bpf_iter__tcp {
  struct bpf_iter_meta* meta;
  struct sock_common* sk_common;
};
#pragma clang attribute pop

enum {
  ESTABLISHED = 1,
  SYN_SENT = 2,
  SYN_RECV = 3,
  CLOSE = 7,
  CLOSE_WAIT = 8,
  LISTEN = 10,
};
#define AF_INET6_ 10
#define TCP_ 6

/* Counted: established, syn_sent, fin_wait_1, fin_wait_2, close_wait, last_ack, listen, closing. A
   socket in SYN_RECV lives for an instant while its handshake ends; half-open handshakes and TIME_WAIT
   are no full sockets, pass no event and are counted elsewhere. */
#define COUNTED 0x0f36u

const volatile __u32 own_namespace = 0; /* inode of the network namespace to count */
const volatile __u32 walk_lane = 0;     /* the lane of the seeding walk */

struct conns_gate gate __attribute__((aligned(64))) = {};
/* The program takes cell numbers from cell_numbers here … */
__u32 cells_taken __attribute__((aligned(64))) = 0;
__u32 cells_given = 0; /* … and the agent gives them here */
__u16 watch[65536];
/* By a hash of its name, where a client's cell was last: to be believed only when the cell says so. */
__u16 hints[CONNS_CLIENTS];

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1); /* CPUs + 1, set before loading */
  __type(key, __u32);
  __type(value, struct conns_lane);
} lanes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CONNS_SLOTS);
  __type(key, struct conns_listener_key);
  __type(value, __u32);
} listeners SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CONNS_CLIENTS);
  __type(key, struct conns_client_key);
  __type(value, __u32);
} client_numbers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, CONNS_CLIENTS);
  __type(key, __u32);
  __type(value, struct conns_client);
} client_cells SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, CONNS_CLIENTS);
  __type(key, __u32);
  __type(value, __u64); /* values lie 8 bytes apart in any case */
} cell_numbers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct conns_mark);
} marks SEC(".maps");

/* clang drops masks that it can prove; the verifier cannot prove the same. */
#define MASK(value, mask) asm volatile("%0 &= " #mask : "+r"(value))

static __always_inline int is_counted(__u32 state) {
  return (COUNTED >> (state & 15)) & 1;
}

static __always_inline void local_address(struct sock_common* sk, __u32* to) {
  if (sk->skc_family == AF_INET6_) {
    to[0] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[0];
    to[1] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[1];
    to[2] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[2];
    to[3] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
  } else {
    to[0] = to[1] = 0;
    to[2] = bpf_htonl(0xffff);
    to[3] = sk->skc_rcv_saddr;
  }
}

static __always_inline void remote_address(struct sock_common* sk, __u32* to) {
  if (sk->skc_family == AF_INET6_) {
    to[0] = sk->skc_v6_daddr.in6_u.u6_addr32[0];
    to[1] = sk->skc_v6_daddr.in6_u.u6_addr32[1];
    to[2] = sk->skc_v6_daddr.in6_u.u6_addr32[2];
    to[3] = sk->skc_v6_daddr.in6_u.u6_addr32[3];
  } else {
    to[0] = to[1] = 0;
    to[2] = bpf_htonl(0xffff);
    to[3] = sk->skc_daddr;
  }
}

static __always_inline int may_be_watched(__u32 port) {
  return (gate.ports[(port >> 6) & 3] >> (port & 63)) & 1;
}

static __noinline int slot_by_address(struct sock* sk, __u32 port, __u32 others) {
  struct conns_listener_key key = {};
  __u32* slot;
  key.port = port;
  local_address(&sk->__sk_common, key.address);
  slot = bpf_map_lookup_elem(&listeners, &key);
  return slot ? (int)*slot : (int)others - 1;
}

/* The watched listener that this socket of the local port belongs to, or -1. */
static __always_inline int slot_of(struct sock* sk, __u32 port) {
  __u32 found = watch[port & 0xffff];
  if (found == 0) return -1;
  if (sk->__sk_common.skc_net.net->ns.inum != own_namespace) return -1;
  if (found & CONNS_BY_ADDRESS) return slot_by_address(sk, port, found & ~CONNS_BY_ADDRESS);
  return (int)found - 1;
}

static __always_inline void move(struct conns_slot* slot, __u32 bank, __u32 from, __u32 to) {
  MASK(bank, 1);
  if (is_counted(from)) {
    MASK(from, 15);
    slot->states[bank][from] -= 1;
  }
  if (is_counted(to)) {
    MASK(to, 15);
    slot->states[bank][to] += 1;
  }
}

/* A number from the agent's ring; -1: none is left. */
static __always_inline int take_cell(void) {
  for (int i = 0; i < 4; ++i) {
    __u32 taken = *(volatile __u32*)&cells_taken;
    if (taken == *(volatile __u32*)&cells_given) return -1;
    if (__sync_val_compare_and_swap(&cells_taken, taken, taken + 1) == taken) {
      __u32 place = taken & (CONNS_CLIENTS - 1);
      __u64* number = bpf_map_lookup_elem(&cell_numbers, &place);
      return number ? (int)*number : -1;
    }
  }
  return -1;
}

/* A cell that an opening has found by its name. When the agent is taking it back it is kept by that; when
   that is settled (CONNS_ENDING, for microseconds) the connection goes without a cell: -1. */
static __always_inline int kept_cell(__u32 number, __u32 slot) {
  struct conns_client* cell = bpf_map_lookup_elem(&client_cells, &number);
  __u32 found;
  if (!cell) return -1;
  found = *(volatile __u32*)&cell->slot;
  if (found == CONNS_NAMELESS) {
    found = __sync_val_compare_and_swap(&cell->slot, CONNS_NAMELESS, slot);
  }
  return found == CONNS_ENDING ? -1 : (int)number;
}

/* The number of the cell with this name, which it gets if need be; -1: there is none. Off the path that
   events take when all is known. */
static __noinline int named_cell(__u64 high, __u64 low, __u32 slot, int create) {
  struct conns_client_key key = {};
  struct conns_client* cell;
  __u32* found;
  __u32 number;
  int taken;
  __builtin_memcpy(key.address, &high, sizeof high);
  __builtin_memcpy(key.address + 2, &low, sizeof low);
  key.slot = slot;
  found = bpf_map_lookup_elem(&client_numbers, &key);
  if (found) return create ? kept_cell(*found, slot) : (int)*found;
  if (!create) return -1;
  taken = take_cell();
  if (taken < 0) return -1;
  number = (__u32)taken;
  cell = bpf_map_lookup_elem(&client_cells, &number);
  if (!cell) return -1;
  __builtin_memcpy(cell->address, key.address, sizeof cell->address);
  cell->words[0] = cell->words[1] = 0;
  cell->opened = cell->bytes = 0;
  cell->touched = 1;
  if (bpf_map_update_elem(&client_numbers, &key, &number, BPF_NOEXIST) == 0) {
    /* Last, and an exchange for its order: from here on hints may find the cell. */
    __sync_lock_test_and_set(&cell->slot, slot);
    return taken;
  }
  /* Another CPU was first; the cell has no name until the agent reclaims it. */
  cell->slot = CONNS_NAMELESS;
  found = bpf_map_lookup_elem(&client_numbers, &key);
  return found ? (int)*found : -1;
}

/* The cell that counts the remote address's connections to the listener; null: there is none. A hint
   saves the search for its number. */
static __always_inline struct conns_client* client_of(struct sock_common* sk, int slot,
                                                      int create) {
  __u32 address[4];
  __u64 high, low, at;
  __u32 number;
  struct conns_client* cell;
  int named;
  remote_address(sk, address);
  __builtin_memcpy(&high, address, sizeof high);
  __builtin_memcpy(&low, address + 2, sizeof low);
  at = ((low ^ high * 0xff51afd7ed558ccdull) + (__u32)slot) * 0x9e3779b97f4a7c15ull >> 48;
  number = hints[at];
  cell = bpf_map_lookup_elem(&client_cells, &number);
  if (!cell) return 0;
  {
    __u64 found = *(volatile __u32*)&cell->slot;
    __u64 none = found;
    const volatile __u64* name;
    /* The address must be read after the slot, and CPUs read in order what depends on what. */
    MASK(none, 0);
    name = (const volatile __u64*)((const char*)cell->address + none);
    if (found != (__u32)slot || name[1] != low || name[0] != high) {
      named = named_cell(high, low, (__u32)slot, create);
      if (named < 0) return 0;
      number = (__u32)named;
      hints[at] = (__u16)number;
      cell = bpf_map_lookup_elem(&client_cells, &number);
      if (!cell) return 0;
    }
  }
  if (!cell->touched) cell->touched = 1;
  return cell;
}

static __always_inline void client_move(struct conns_lane* lane, struct conns_client* cell,
                                        __u32 bank, int change, int opened) {
  MASK(bank, 1);
  if (cell) {
    __sync_fetch_and_add(&cell->words[bank], ((__s64)opened << CONNS_OPENED_SHIFT) + change);
  } else {
    lane->untracked[bank] += change;
  }
}

static __always_inline struct conns_slot* slot_in(struct conns_lane* lane, int number) {
  __u32 at = (__u32)number;
  MASK(at, 127);
  return &lane->slots[at];
}

static __always_inline struct conns_lane* own_lane(void) {
  __u32 cpu = bpf_get_smp_processor_id();
  return bpf_map_lookup_elem(&lanes, &cpu);
}

static __always_inline void count_event(struct conns_slot* slot, __u32 from, __u32 to) {
  if (to == ESTABLISHED) {
    slot->opened += 1;
  } else if (to == CLOSE) {
    if (from == SYN_RECV || from == SYN_SENT)
      slot->failed += 1;
    else if (from != LISTEN)
      slot->closed += 1;
    if (from == ESTABLISHED || from == CLOSE_WAIT) slot->aborted += 1;
  }
}

static __always_inline void count_end(struct conns_slot* slot, struct conns_client* cell,
                                      struct tcp_sock* tcp) {
  __u64 in = tcp->bytes_received;
  __u64 out = tcp->bytes_acked;
  __u32 rtt = tcp->srtt_us >> 3;
  __u32 bucket = 0;
  if (rtt >> 16) bucket += 16, rtt >>= 16;
  if (rtt >> 8) bucket += 8, rtt >>= 8;
  if (rtt >> 4) bucket += 4, rtt >>= 4;
  if (rtt >> 2) bucket += 2, rtt >>= 2;
  if (rtt >> 1) bucket += 1;
  if (bucket >= CONNS_RTT_BUCKETS) bucket = CONNS_RTT_BUCKETS - 1;
  slot->bytes_in += in;
  slot->bytes_out += out;
  slot->rtt[bucket] += 1;
  if (cell && in + out) __sync_fetch_and_add(&cell->bytes, in + out);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock* sk, int from, int to) {
  __u32 word = *(volatile __u32*)&gate.control;
  __u32 bank = word & CONNS_BANK;
  __u32 generation = word >> CONNS_GENERATION_SHIFT;
  __u32 port = sk->__sk_common.skc_num;
  struct conns_client* cell = 0;
  struct conns_mark* mark = 0;
  struct conns_lane* lane;
  struct conns_slot* slot;
  struct tcp_sock* tcp = 0;
  __u32 before = CLOSE;
  int change, other = 0;
  int number;
  /* A child of a listener is born as its copy: this listener did not leave its state. */
  if (from == LISTEN && to == SYN_RECV) return 0;
  if (!port) {
    /* The port is gone from there when a socket closes, and before a client has chosen one. */
    if (to != CLOSE) return 0;
    tcp = bpf_skc_to_tcp_sock(sk);
    if (!tcp) return 0;
    port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
  }
  if (!may_be_watched(port)) return 0;
  if (sk->sk_protocol != TCP_) return 0;
  number = slot_of(sk, port);
  if (number < 0) return 0;
  lane = own_lane();
  if (!lane) return 0;
  slot = slot_in(lane, number);

  if (word & CONNS_SEEDING) {
    mark = bpf_sk_storage_get(&marks, sk, 0, is_counted(to) ? BPF_SK_STORAGE_GET_F_CREATE : 0);
    if (mark) {
      if (mark->generation == generation) before = mark->state;
      mark->generation = generation;
      mark->state = is_counted(to) ? (__u32)to : CLOSE;
    } else if (is_counted(to)) {
      lane->lost += 1;
    }
    move(slot, bank ^ 1, before, to);
    other = (to == ESTABLISHED) - (before == ESTABLISHED);
  }
  move(slot, bank, from, to);
  count_event(slot, from, to);

  change = (to == ESTABLISHED) - (from == ESTABLISHED);
  if (change == 0 && other == 0) return 0;
  cell = client_of(&sk->__sk_common, number, to == ESTABLISHED);
  if (change) client_move(lane, cell, bank, change, change > 0);
  if (other) client_move(lane, cell, bank ^ 1, other, 0);
  if (change < 0) {
    if (!tcp) tcp = bpf_skc_to_tcp_sock(sk);
    if (tcp) count_end(slot, cell, tcp);
  }
  return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock* sk) {
  __u32 port = sk->__sk_common.skc_num;
  struct conns_lane* lane;
  int number;
  if (!may_be_watched(port) || sk->sk_protocol != TCP_) return 0;
  number = slot_of(sk, port);
  if (number < 0) return 0;
  lane = own_lane();
  if (lane) slot_in(lane, number)->retransmits += 1;
  return 0;
}

/* Holds the lock of the socket that it is called for; changes of state happen under the same one. */
SEC("iter/tcp")
int seed(struct bpf_iter__tcp* ctx) {
  struct sock_common* common = ctx->sk_common;
  struct conns_mark* mark;
  struct conns_lane* lane;
  struct tcp_sock* tcp;
  struct sock* sk;
  __u32 word = *(volatile __u32*)&gate.control;
  __u32 generation = word >> CONNS_GENERATION_SHIFT;
  __u32 bank = (word & CONNS_BANK) ^ 1;
  __u32 at = walk_lane;
  __u32 state;
  int number;
  if (!common) return 0;
  tcp = bpf_skc_to_tcp_sock(common);
  if (!tcp) return 0;
  sk = &tcp->inet_conn.icsk_inet.sk;
  state = sk->__sk_common.skc_state;
  if (!is_counted(state)) return 0;
  number = slot_of(sk, bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport));
  if (number < 0) return 0;
  lane = bpf_map_lookup_elem(&lanes, &at);
  if (!lane) return 0;
  mark = bpf_sk_storage_get(&marks, tcp, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!mark) {
    lane->lost += 1;
    return 0;
  }
  if (mark->generation == generation) return 0;
  mark->generation = generation;
  mark->state = state;
  move(slot_in(lane, number), bank, CLOSE, state);
  if (state == ESTABLISHED) {
    client_move(lane, client_of(&sk->__sk_common, number, 1), bank, 1, 0);
  }
  return 0;
}
