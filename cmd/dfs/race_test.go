//go:build race

package main

// raced: the race detector is in the program, and takes memory of its own.
const raced = true
