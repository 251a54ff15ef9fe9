// Package archive opens the archive that a configuration names, and tries the connection to it.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"

	"collimate/cmd/collimate/internal/config"
	"collimate/pacs"
	"collimate/pacs/dicomweb"
	"collimate/pacs/dimse"
	"collimate/pacs/fs"
	"collimate/pacs/remote"
)

// Archive is an open archive.
type Archive struct {
	pacs.Archive
	pacs.Lister
	// Files is the archive of kind fs, into which files can be taken; nil for a PACS.
	Files *fs.Archive
	// Receiver takes images by C-STORE: into Files, or those that C-MOVE asks for; nil without receiver.listen. Who opens
	// the Archive runs it.
	Receiver *dimse.Server

	echo   func(context.Context) error // nil but for DIMSE
	closer io.Closer
}

// Close releases the archive.
func (a *Archive) Close() error { return a.closer.Close() }

// OpenAlone opens the archive in a program that is not the server: with a memory of its own for a PACS and, if instances
// are to be read and C-MOVE needs it for that, with the receiver running. Close ends both.
func OpenAlone(c *config.Config, reads bool) (*Archive, error) {
	measured, err := os.MkdirTemp("", "collimate-*") // not the server's: two archives must not share one
	if err != nil {
		return nil, err
	}
	a, err := Open(c, measured, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(measured))
	}
	stop := func() {}
	if reads && a.Receiver != nil && a.Files == nil {
		if stop, err = a.receive(c); err != nil {
			return nil, errors.Join(err, a.Close(), os.RemoveAll(measured))
		}
	}
	a.closer = closer{a.closer, func() error { stop(); return os.RemoveAll(measured) }}
	return a, nil
}

// receive runs the receiver of C-MOVE until stop is called.
func (a *Archive) receive(c *config.Config) (stop func(), err error) {
	l, err := net.Listen("tcp", c.Receiver.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s, where C-MOVE sends to, is in use: stop the organisation's server for this", c.Receiver.Listen)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.Receiver.Serve(ctx, l) // ends with ctx; whoever waits for an instance is told
	}()
	return func() {
		cancel()
		<-ended
	}, nil
}

// closer closes an archive, and what was opened with it.
type closer struct {
	io.Closer
	more func() error
}

// Close implements io.Closer.
func (c closer) Close() error { return errors.Join(c.Closer.Close(), c.more()) }

// Open opens the archive. What is remembered of a PACS is kept in the directory measured, which two archives must not
// share. It does not connect.
func Open(c *config.Config, measured string, log *slog.Logger) (*Archive, error) {
	if c.Archive.Kind == config.KindFS {
		files, err := fs.Open(c.Path(config.ArchiveDir))
		if err != nil {
			return nil, err
		}
		a := &Archive{Archive: files, Lister: files, Files: files, closer: files}
		if a.Receiver, err = receiver(c, files, log); err != nil {
			return nil, errors.Join(err, files.Close())
		}
		return a, nil
	}
	a := &Archive{}
	p, err := a.connect(c, log)
	if err != nil {
		return nil, err
	}
	r, err := remote.Open(p, measured)
	if err != nil {
		return nil, err
	}
	a.Archive, a.Lister, a.closer = r, r, r
	return a, nil
}

// connect makes the client of a PACS.
func (a *Archive) connect(c *config.Config, log *slog.Logger) (remote.PACS, error) {
	tlsConfig, err := c.ArchiveTLS()
	if err != nil {
		return nil, err
	}
	if c.Archive.Kind == config.KindDICOMweb {
		web := dicomweb.Config{URL: c.Archive.URL, User: c.Archive.User, TLS: tlsConfig, Plain: c.Archive.Plain, Idle: c.Archive.Timeout}
		if c.Archive.PasswordFile != "" {
			if web.Password, err = config.Secret(c.Archive.PasswordFile); err != nil {
				return nil, err
			}
		}
		if file := c.Archive.TokenFile; file != "" {
			web.Token = func(context.Context) (string, error) { return config.Secret(file) }
		}
		return dicomweb.New(web)
	}
	d := dimse.Config{Address: c.Archive.Address, AETitle: c.Archive.AETitle, OurAE: c.Archive.OurAETitle, Idle: c.Archive.Timeout}
	if c.Archive.TLS {
		d.TLS = tlsConfig
	}
	if c.Archive.Retrieve == config.RetrieveMove {
		if a.Receiver, err = receiver(c, nil, log); err != nil {
			return nil, err
		}
		d.Receiver = a.Receiver
	}
	client, err := dimse.NewClient(d)
	if err != nil {
		return nil, err
	}
	a.echo = client.Echo
	return client, nil
}

// receiver makes what takes images by C-STORE; nil without receiver.listen.
func receiver(c *config.Config, sink dimse.Sink, log *slog.Logger) (*dimse.Server, error) {
	if c.Receiver.Listen == "" {
		return nil, nil
	}
	tlsConfig, err := c.ReceiverTLS()
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	var peers []dimse.Peer
	for _, text := range c.Receiver.Peers {
		ae, network, err := config.ParsePeer(text)
		if err != nil {
			return nil, err
		}
		i, known := at[ae]
		if !known {
			i = len(peers)
			at[ae], peers = i, append(peers, dimse.Peer{AETitle: ae, Networks: []netip.Prefix{}})
		}
		peers[i].Networks = append(peers[i].Networks, network)
	}
	s, err := dimse.NewServer(dimse.ServerConfig{AETitle: c.Receiver.AETitle, Peers: peers, Sink: sink, TLS: tlsConfig, Log: log})
	if err != nil {
		return nil, fmt.Errorf("the receiver: %w", err)
	}
	return s, nil
}
