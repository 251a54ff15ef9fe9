//go:build race

package wss

const raceEnabled = true
