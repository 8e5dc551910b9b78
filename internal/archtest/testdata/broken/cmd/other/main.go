// Command other has no floor.
package main

func main() {}
