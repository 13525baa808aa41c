// Programs that read what programs read of modules, with names that some modules
// don't have.

#define RECORD __attribute__((preserve_access_index))
#define PROGRAM(name) __attribute__((section("socket"), used)) long name(void *ctx)
#define READ(name, T, member) PROGRAM(name) { T *p = ctx; return (long)p->member; }
#define INFO(name, T, member, kind) PROGRAM(name) { T *p = ctx; return __builtin_preserve_field_info(p->member, kind); }
#define PLACE(name, T, member) INFO(name##_offset, T, member, 0) INFO(name##_size, T, member, 1) INFO(name##_exists, T, member, 2)
#define TYPE(name, T) \
	PROGRAM(name##_target) { return __builtin_btf_type_id(*(T *)0, 1); } \
	PROGRAM(name##_there) { return __builtin_preserve_type_info(*(T *)0, 0); } \
	PROGRAM(name##_sizeof) { return __builtin_preserve_type_info(*(T *)0, 1); }

typedef unsigned int u32;
typedef unsigned long long u64;

struct list_head { struct list_head *next, *prev; } RECORD;
struct task_struct { int pid; } RECORD; // the kernel's
struct inode { unsigned long i_ino; } RECORD;
struct btrfs_inode { u64 generation; u64 flags; u32 never; struct inode vfs_inode; } RECORD;
struct btrfs_root___flavour { u64 last_trans; } RECORD;
struct nf_conn { unsigned long status; u32 mark; } RECORD;
struct nf_conntrack_tuple { struct { unsigned char protonum; } dst; } RECORD;
struct net_bridge_port { struct list_head list; unsigned long flags; } RECORD;
struct net_bridge_vlan { unsigned short vid; } RECORD;
struct veth_priv { void *peer; u32 requested_headroom; } RECORD;
struct veth_rq { u32 xdp_mem; _Bool rx_notify_masked; } RECORD;
enum btrfs_trans_state { TRANS_STATE_RUNNING, TRANS_STATE_COMPLETED, TRANS_STATE_NEVER };

READ(pid, struct task_struct, pid)
PLACE(ino, struct btrfs_inode, vfs_inode.i_ino)
READ(generation, struct btrfs_inode, generation)
PLACE(flags, struct btrfs_inode, flags)
PLACE(never, struct btrfs_inode, never)
READ(last_trans, struct btrfs_root___flavour, last_trans)
READ(status, struct nf_conn, status)
PLACE(mark, struct nf_conn, mark)
PLACE(protonum, struct nf_conntrack_tuple, dst.protonum)
READ(port_flags, struct net_bridge_port, flags)
READ(port_next, struct net_bridge_port, list.next)
READ(vid, struct net_bridge_vlan, vid)
READ(peer, struct veth_priv, peer)
PLACE(headroom, struct veth_priv, requested_headroom)
READ(masked, struct veth_rq, rx_notify_masked)
TYPE(type_task, struct task_struct)
TYPE(type_inode, struct btrfs_inode)
TYPE(type_conn, struct nf_conn)
TYPE(type_veth, struct veth_priv)
PROGRAM(state_there) { return __builtin_preserve_enum_value(*(enum btrfs_trans_state *)TRANS_STATE_COMPLETED, 0); }
PROGRAM(state_value) { return __builtin_preserve_enum_value(*(enum btrfs_trans_state *)TRANS_STATE_COMPLETED, 1); }
PROGRAM(state_never) { return __builtin_preserve_enum_value(*(enum btrfs_trans_state *)TRANS_STATE_NEVER, 1); }

char license_text[] __attribute__((section("license"), used)) = "GPL";
