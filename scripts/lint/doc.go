// Package lint has tests that hold the project's architecture: which package
// may import which, and who may end the process. make lint runs them.
package lint
