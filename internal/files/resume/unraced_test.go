//go:build !race

package resume_test

const raced = false
