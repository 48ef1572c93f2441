// The memory that the kernel's side (conns.bpf.c) writes and the agent reads: plain C, included by both.
//
// Every CPU has a lane of its own, so that counting takes no atomic operation; the seeding walk has
// one more. What counts living sockets exists twice (banks): readers use one while the other is built.
// NOLINTBEGIN: C, for two compilers
#ifndef MCGUARD_AGENT_CONNS_LAYOUT_H
#define MCGUARD_AGENT_CONNS_LAYOUT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define CONNS_SLOTS 128      /* watched listeners; a power of two */
#define CONNS_STATES 16      /* TCP states are below 13 */
#define CONNS_RTT_BUCKETS 24 /* bucket i: 2^i to 2^(i+1) microseconds */
#define CONNS_CLIENTS 65536  /* pairs of client address and listener; a power of two */

/* In watch[port]: 0, or the slot of the port's other addresses + 1, with this bit when single
   addresses of the port have slots of their own. */
#define CONNS_BY_ADDRESS 0x8000

/* The control word: bit 0 the bank that readers use, bit 1 whether the other one is being built, above
   them the number of that building. One word, so that each run of the program sees one moment. */
#define CONNS_BANK 1u
#define CONNS_SEEDING 2u
#define CONNS_GENERATION_SHIFT 2

/* What every event reads first, in one cache line. */
struct conns_gate {
  __u32 control;
  __u32 spare;
  __u64 ports[4]; /* bit (port % 256): some watched port has this remainder */
};

struct conns_slot {
  __s64 states[2][CONNS_STATES];
  __u64 opened;
  __u64 closed;
  __u64 aborted;     /* ended without FIN from both sides: reset, timed out */
  __u64 failed;      /* handshakes that ended before they were done */
  __u64 retransmits; /* segments */
  __u64 bytes_in;    /* of connections that ended */
  __u64 bytes_out;
  __u64 spare;
  __u64 rtt[CONNS_RTT_BUCKETS]; /* smoothed, as connections end */
};

struct conns_lane {
  struct conns_slot slots[CONNS_SLOTS];
  __s64 untracked[2]; /* established connections whose client has no cell */
  __u64 lost;         /* marks that the kernel had no memory for: the building must be repeated */
  __u64 pad[509];     /* to a page */
};

/* In conns_client::slot: a cell that is being taken back or whose name another CPU's cell has, one
   that waits to be taken or is being named, and one whose name is about to be removed. No hint
   leads to them. */
#define CONNS_NAMELESS CONNS_SLOTS
#define CONNS_FREE (CONNS_SLOTS + 1)
#define CONNS_ENDING (CONNS_SLOTS + 2)

/* In conns_client::words[bank]: established connections (signed) + those ever opened while the bank was
   in use << this, so that opening one takes one atomic operation. */
#define CONNS_OPENED_SHIFT 26

struct conns_client {
  __u32 address[4]; /* network order; IPv4 as ::ffff:a.b.c.d */
  __u32 slot;       /* written after the address */
  __u32 touched;    /* set by each event, cleared by the agent's reclaiming */
  __s64 words[2];
  __u64 opened; /* what words of earlier buildings held; the agent's alone */
  __u64 bytes;  /* both directions, of connections that ended */
  __u64 pad;    /* to a cache line */
};

struct conns_client_key {
  __u32 address[4];
  __u32 slot;
};

struct conns_listener_key {
  __u32 address[4];
  __u32 port;
};

struct conns_mark {
  __u32 generation;
  __u32 state;
};

#endif
// NOLINTEND
