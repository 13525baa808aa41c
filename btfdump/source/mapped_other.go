//go:build !linux

package source

import "os"

// mapSysfs does nothing where there is no sysfs.
func mapSysfs(*os.File, int64) (data []byte, ok bool) { return nil, false }
