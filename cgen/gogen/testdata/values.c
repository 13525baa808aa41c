/* Values for the records of records.c, which the Go test expects. */
#include "vmlinux.h"

/* The payload starts in the padding at the record's end, and goes on behind it. */
struct {
	struct event e;
	__u8 payload[4];
} event = {
	.e = {
		.timestamp_ns = 0x1122334455667788ULL,
		.pid = 4711,
		.source_port = 443,
		.is_ipv6 = 1,
		.tiny = TINY_B,
		.comm = "bash",
		.saddr.v6 = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
		.verdict_known = 1,
		.retries = 5,
		.verdict = VERDICT_TCP_RESET,
		.delta = -3,
		.sock = (void *)0x8000000012345678ULL,
		.len = 4,
	},
	.payload = { 'd', 'a', 't', 'a' },
};

struct outer outer_first = {
	.tag = 9,
	.first = 0xdeadbeef,
	.second = -2,
	.third = 1,
	.point = { { 1, 2 }, { 3, 4 } },
	.named = { { .pair = { 5, 6 } }, { .whole = -7 } },
};
struct outer outer_inner = { .inner = { 0x1234, 0x56789abc } };
struct outer outer_pointer = { .pointer = (void *)0xffff888012345678ULL };
struct outer outer_bits = { .flag = 1, .middle = 0x123456789abcdefULL, .last = 2 };
struct outer outer_number = { .number = -0.75 };
struct outer outer_level = { .level = LEVEL_LOW };
struct outer outer_words = { .words = { 0x01020304, 0x05060708 } };
struct outer outer_text = { .text = "text" };
struct outer outer_uid = { .uid = { 1000 } };

struct packed packed = {
	.tag = 1,
	.eight = 0x0102030405060708ULL,
	.two = 0x0a0b,
	.call = (void *)0xffffffff81000000ULL,
	.real = 1.5,
	.inner = { { 1, 2 }, { 3, 4 } },
	.bits = 0x7abcdef1,
	.crossing = 0x9876543210ULL,
	.negative = -123456789012LL,
	.truth = 1,
};

struct numbers numbers = {
	.sc = -1,
	.uc = 255,
	.s16 = -300,
	.s32 = -70000,
	.s64 = -5000000000LL,
	.f = 0.5,
	.d = -1e100,
	.big = -2,
	.ubig = ((unsigned __int128)1 << 64) + 3,
	.level = LEVEL_LOW,
	.wide = WIDE_B,
	.matrix = { { 1, 2, 3 }, { 4, 5, 6 } },
	.lines = { "ab", "wxyz" },
	.uid = { 42 },
};

union only only = { .word = 0xcafef00d };
struct over_aligned over_aligned = { .tag = 3, .value = 0x01020304 };

/* The array's elements follow the record. */
struct {
	struct list l;
	struct inner items[2];
} list = { { 2 }, { { 1, 2 }, { 3, 4 } } };
