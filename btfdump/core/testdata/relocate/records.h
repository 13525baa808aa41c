// The types that programs.c reads and the targets change. RECORD is what stands
// behind each record: in programs.c the attribute that asks for relocations.

typedef signed char s8;
typedef unsigned char u8;
typedef short s16;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;
typedef _Bool boolean;

enum color { RED, GREEN = 5, BLUE = 0x7fffffff };
enum big { BIG_SMALL = 1, BIG_HUGE = 0x123456789aULL, BIG_TOP = 0xfedcba9876543210ULL };
enum negative { MINUS = -3, PLUS = 3 };
enum flavored { FLAVORED_ONE = 1, FLAVORED_TWO };
enum lonely { LONELY };

struct inner {
	int a;
	u64 b;
	struct {
		s16 deep;
		union {
			u32 low;
			u8 bytes[4];
		};
	};
} RECORD;

struct plain {
	u8 c;
	s8 sc;
	u16 s;
	s16 ss;
	u32 i;
	s32 si;
	u64 l;
	s64 sl;
	boolean t;
	char ch;
	unsigned long ul;
	long sgl;
} RECORD;

struct nested {
	int head;
	struct inner in;
	struct inner *ptr;
	const struct inner *const volatile cptr;
	struct inner arr[4];
} RECORD;

struct anon {
	int tag;
	union {
		int x;
		struct {
			s16 y1;
			s16 y2;
		};
	};
	struct {
		struct {
			u64 far;
		};
		u32 near;
	};
	long z;
} RECORD;

struct arrays {
	int n;
	int ints[8];
	struct inner recs[3];
	int matrix[2][3];
	char name[16];
	u16 shorts[4];
	u64 *pointers[2];
} RECORD;

struct flex {
	int n;
	struct inner tail[];
} RECORD;

struct flex_ints {
	u64 n;
	u16 tail[];
} RECORD;

struct bits {
	u64 d : 30;
	u32 a : 3;
	u32 b : 7;
	s32 c : 5;
	s64 e : 9;
	u8 f : 1;
	u16 g : 11;
	enum color h : 4;
	boolean k : 1;
	u32 whole;
} RECORD;

struct bits_wide {
	u8 lead : 3;
	u32 wide : 30;
	s32 cross : 20;
	u64 huge : 62;
	u16 last : 9;
} RECORD;

struct pointers {
	void *v;
	int *i;
	struct inner *r;
	struct unknown *f;
	union unknown_union *uf;
	int (*fn)(int, char *);
	char **deep;
	enum color *e;
} RECORD;

struct enums {
	enum color c;
	enum big b;
	enum negative n;
	enum flavored f;
} RECORD;

struct floats {
	float f;
	double d;
} RECORD;

struct quals {
	const volatile int cv;
	const int *restrict rp;
	volatile struct inner vin;
} RECORD;

typedef struct {
	int one;
	struct inner two;
	u8 three : 5;
} record_td;
typedef struct inner inner_td;
typedef const inner_td inner_td2;
typedef int int_td;
typedef volatile int_td int_td2;
typedef int (*function_td)(int, struct inner *);
typedef int prototype_td(int, struct inner *);
typedef void void_prototype_td(void);
typedef int *pointer_td;
typedef int array_td[4];
typedef struct inner record_array_td[2];
typedef enum color color_td;

struct typedefs {
	record_td r;
	inner_td i;
	inner_td2 ci;
	int_td2 n;
	function_td fn;
	array_td arr;
	record_array_td recs;
	color_td c;
} RECORD;

union uni {
	int i;
	long l;
	struct inner in;
	u8 raw[8];
	u32 bit : 3;
} RECORD;

struct wrapper {
	struct {
		struct plain *first;
		struct nested *second;
	} in;
	struct bits bit;
	union uni u;
} RECORD;

struct empty {
} RECORD;

struct single {
	int only;
} RECORD;

struct list {
	struct list *next, *prev;
	int value;
} RECORD;

// libbpf gives up on types behind 32 pointers.
typedef int *******************************pointers_31;
typedef int ********************************pointers_32;
typedef int *********************************pointers_33;
typedef int (*(*(*nested_functions)(int (*)(char)))(struct list *, long))(enum color);
