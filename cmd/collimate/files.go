package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"collimate/gateway"
	"collimate/ticket"
)

// readTicket reads a claim ticket: its file, or a file with the text of the QR code on its page.
func readTicket(file string) (*gateway.Ticket, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimSpace(raw); bytes.HasPrefix(bytes.ToUpper(text[:min(len(text), len(ticket.Prefix))]), []byte(ticket.Prefix)) {
		return ticket.Decode(string(text))
	}
	return gateway.ParseTicket(raw)
}

// readOpening reads an opening.
func readOpening(file string) (o gateway.Opening, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return o, fmt.Errorf("reading the opening %s: %w", file, err)
	}
	return o, nil
}

// isTaken reports whether a file that must be new exists.
func isTaken(file string) bool {
	_, err := os.Lstat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// writeFile writes what a person must not lose: synced, and never over another file.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
