package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"collimate/cmd/collimate/internal/config"
	"collimate/cmd/collimate/internal/serve"

	"github.com/spf13/cobra"
)

func (a *app) serve() *cobra.Command {
	var path, format, level string
	var untilEOF bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run an organisation: its ledger node and its gateway",
		Long: `Run an organisation: its ledger node, and beside it the source side of a gateway, the
consumer side, or both. The first SIGINT or SIGTERM ends it when the streams that have
begun are through; the second ends it at once.`,
		Example: `  collimate serve --config north/collimate.yaml
  COLLIMATE_LOG_LEVEL=debug collimate serve --config north/collimate.yaml --log-format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load(path)
			if err := config.Join(err, c.CheckFiles()); err != nil {
				return err
			}
			if format != "" {
				c.Log.Format = format
			}
			if level != "" {
				c.Log.Level = level
			}
			logger, err := a.logger(c.Log.Format, c.Log.Level)
			if err != nil {
				return usageError{err}
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			if untilEOF {
				go func() {
					_, _ = io.Copy(io.Discard, os.Stdin) // ends with whoever holds the other end
					cancel()
				}()
			}
			return serve.Run(ctx, c, logger.With("organisation", c.Organisation.Name), func(listeners []serve.Listener) {
				a.printListeners(c, listeners)
			})
		},
	}
	a.configFlag(c, &path)
	f := c.Flags()
	f.StringVar(&format, "log-format", "", "text or json, instead of log.format")
	f.StringVar(&level, "log-level", "", "debug, info, warn or error, instead of log.level")
	f.BoolVar(&untilEOF, "until-eof", false, "end when standard input does, as a child of another program")
	return c
}

// logger writes to standard error.
func (a *app) logger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: %q is not one of %v", level, config.LogLevels())
	}
	switch o := (&slog.HandlerOptions{Level: l}); format {
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, o)), nil
	}
	return nil, fmt.Errorf("--log-format: %q is not one of %v", format, config.LogFormats())
}

func (a *app) printListeners(c *config.Config, listeners []serve.Listener) {
	fmt.Fprintf(a.stdout, "%s is up\n", c.Organisation.Name)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, l := range listeners {
		fmt.Fprintf(w, "  %s\t%s\n", l.What, l.URL)
	}
	fmt.Fprintf(w, "  peers\tudp %s\n", c.Network.Listen)
	_ = w.Flush()
}
