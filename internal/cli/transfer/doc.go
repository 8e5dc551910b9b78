// Package transfer has the commands that move data: get, seed, run and serve.
package transfer
