/*
 * Records with all that C has and Go has not. The test compiles them for BPF of
 * both byte orders, makes Go types and a C header of the BTF, and compiles
 * values.c with that header for machines of both byte orders.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed short __s16;
typedef signed int __s32;
typedef signed long long __s64;
typedef __u32 pid_t;

enum verdict {
	VERDICT_PASS,
	VERDICT_DROP = 7,
	VERDICT_TCP_RESET,
	VERDICT_DENY = VERDICT_DROP,
};

enum signed_level { LEVEL_LOW = -2, LEVEL_HIGH = 2 };
enum tiny { TINY_A = 1, TINY_B = 200 } __attribute__((packed));
enum wide { WIDE_A = 1, WIDE_B = 0x100000000ULL };

/* A ring buffer's event, as a BPF program would declare it. */
struct event {
	__u64 timestamp_ns;
	pid_t pid;
	__u16 source_port;
	_Bool is_ipv6;
	enum tiny tiny;
	char comm[16];
	union {
		__u32 v4;
		__u8 v6[16];
	} saddr;
	__u32 verdict_known : 1;
	__u32 retries : 3;
	enum verdict verdict : 12;
	__s32 delta : 16;
	void *sock;
	__u32 len;
	__u8 payload[];
};

struct inner {
	__u16 a;
	__u32 b;
};

typedef struct {
	__u32 val;
} kuid_t;

/* Members without a name, at several depths. */
struct outer {
	__u8 tag;
	union {
		struct {
			__u32 first;
			__s16 second;
			_Bool third;
		};
		struct inner inner;
		struct inner *pointer;
		struct {
			__u64 flag : 1, middle : 61, last : 2;
		};
		double number;
		enum signed_level level;
		__u32 words[2];
		char text[8];
		kuid_t uid;
	};
	struct {
		__u8 x, y;
	} point[2];
	union {
		struct inner pair;
		__s64 whole;
	} named[2];
	struct {
	} nothing;
};

/* Nothing is aligned here. */
struct packed {
	__u8 tag;
	__u64 eight;
	__u16 two;
	void (*call)(struct event *, int);
	float real;
	struct inner inner[2];
	__u32 bits : 31;
	__u64 crossing : 40;
	__s64 negative : 50;
	_Bool truth : 1;
} __attribute__((packed));

struct numbers {
	signed char sc;
	unsigned char uc;
	__s16 s16;
	__s32 s32;
	__s64 s64;
	float f;
	double d;
	__int128 big;
	unsigned __int128 ubig;
	enum signed_level level;
	enum wide wide;
	__u16 matrix[2][3];
	char lines[2][4];
	kuid_t uid;
	__u8 rest[8]; /* makes the size the same where __int128 is aligned to 8 */
};

union only {
	__u8 bytes[6];
	__u16 half;
	__u32 word;
};

struct over_aligned {
	__u8 tag;
	__u32 value __attribute__((aligned(16)));
};

struct list {
	__u32 count;
	struct inner items[];
};

struct empty {
};

/* Names that Go could confuse. */
struct type {
	__u32 func;
	__u32 Func;
	__u32 set_a;
	__u32 a : 3;
	__u32 string;
	__u32 _string;
};
union Type {
	__u8 b;
};

/* clang keeps the types of variables only. */
#ifndef NO_VARIABLES
struct event *event;
struct outer *outer;
struct packed *packed;
struct numbers *numbers;
union only *only;
struct over_aligned *over_aligned;
struct list *list;
struct empty *empty;
struct type *type;
union Type *Type;
#endif
