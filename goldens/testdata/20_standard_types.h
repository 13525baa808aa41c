#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if !defined(BPF_NO_PRESERVE_ACCESS_INDEX) && !defined(__cplusplus) && __has_attribute(preserve_access_index)
#define __co_re __attribute__((preserve_access_index))
#else
#define __co_re
#endif
#if !__has_attribute(btf_type_tag)
#define btf_type_tag(x)
#endif

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

#if defined(__bpf__) && defined(UINTPTR_MAX) && UINTPTR_MAX == 0xffffffff
#error "the stdint.h before this header is that of a 32-bit machine: add -D__x86_64__, or what names your machine, or -ffreestanding"
#endif

/*
 * int64_t is the kernel's s64, "long long", where stdint.h has "long" for BPF:
 * to C, two types. If stdint.h comes first, its own stays; if it comes later, it
 * finds the kernel's.
 */
#if defined(__CLANG_STDINT_H) || defined(_GCC_STDINT_H) || defined(_STDINT_H) || \
	defined(_BITS_STDINT_INTN_H) || defined(__DEFINED_int64_t) || defined(_INT64_T_DECLARED)
#define __btfgen_int64_taken
#else
#define __DEFINED_int64_t
#define _INT64_T_DECLARED
#define _BITS_STDINT_INTN_H 1
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
#undef __INT64_TYPE__
#define __INT64_TYPE__ long long
#endif

/*
 * uint64_t is the kernel's u64, "unsigned long long", where stdint.h has
 * "unsigned long" for BPF: to C, two types. If stdint.h comes first, its own
 * stays; if it comes later, it finds the kernel's.
 */
#if defined(__CLANG_STDINT_H) || defined(_GCC_STDINT_H) || defined(_STDINT_H) || \
	defined(_BITS_STDINT_UINTN_H) || defined(__DEFINED_uint64_t) || defined(_UINT64_T_DECLARED)
#define __btfgen_uint64_taken
#else
#define __DEFINED_uint64_t
#define _UINT64_T_DECLARED
#define _BITS_STDINT_UINTN_H 1
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
#undef __UINT64_TYPE__
#define __UINT64_TYPE__ unsigned long long
#endif

#ifndef __btfgen_int64_taken
typedef long long int int64_t;
#endif
typedef __SIZE_TYPE__ size_t;
#ifndef __btfgen_uint64_taken
typedef long long unsigned int uint64_t;
#endif
typedef __UINT8_TYPE__ uint8_t;
typedef long unsigned int ulong;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef __WCHAR_TYPE__ wchar_t;
typedef short unsigned int wchar_t___2;
#undef __btfgen_int64_taken
#undef __btfgen_uint64_taken
#undef __co_re

#endif /* __VMLINUX_H__ */
