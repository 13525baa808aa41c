package hugepages

// Make returns n zero values, as make does, which panics as make does if n is
// negative or too large. It may be called by many goroutines at once.
func Make[T any](n int) []T {
	table := make([]T, n)
	advise(table)
	return table
}
