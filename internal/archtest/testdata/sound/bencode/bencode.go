// Package bencode is here to be imported.
package bencode
