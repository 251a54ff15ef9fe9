package main

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"collimate/keys"
	"collimate/keys/keystore"

	"github.com/spf13/cobra"
)

// certificateYears is how long a certificate that 'keys new' makes is valid: the ledger, not the date, says
// which keys count, and one that runs out unnoticed stops a hospital.
const certificateYears = 10

func (a *app) keys() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make and show keys: every party is known by one",
	}
	c.AddCommand(a.keysNew(), a.keysShow())
	return c
}

func (a *app) keysNew() *cobra.Command {
	var kind, name string
	c := &cobra.Command{
		Use:   "new FILE",
		Short: "Make a key, and a self-signed certificate of it beside it",
		Long: `Make a private key in FILE (PKCS#8 in PEM, readable by you alone) and a self-signed
certificate beside it, with the ending .crt. Nothing that exists is overwritten.`,
		Example: `  collimate keys new patient.key
  collimate keys new gateway.key --kind rsa3072 --name "South Hospital"`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k, err := keystore.ParseKind(kind)
			if err != nil {
				return usageError{fmt.Errorf("--kind: %w", err)}
			}
			file := args[0]
			if name == "" {
				name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
			}
			signer, err := keystore.Generate(k)
			if err != nil {
				return err
			}
			now := time.Now()
			cert, err := keystore.SelfSigned(signer, name, nil, now.Add(-time.Hour), now.AddDate(certificateYears, 0, 0))
			if err != nil {
				return err
			}
			if isTaken(certificateBeside(file)) {
				return fmt.Errorf("%s exists already and is not overwritten; move it away first", certificateBeside(file))
			}
			if err := keystore.Save(file, signer); err != nil {
				return err
			}
			if err := keystore.SaveCertificate(certificateBeside(file), cert); err != nil {
				return err
			}
			return a.printKey(signer.Public(), [2]string{"key", file}, [2]string{"certificate", certificateBeside(file)})
		},
	}
	c.Flags().StringVar(&kind, "kind", string(keystore.P256), fmt.Sprintf("one of %v", keystore.Kinds()))
	c.Flags().StringVar(&name, "name", "", "name in the certificate (default: the name of the file)")
	return c
}

func (a *app) keysShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Show by which names a key or a certificate is known",
		Long: `Show by which names the key in FILE (a private key or a certificate, in PEM) is known:
the KeyID on the ledger, and the OID that stands for it in IHE messages.`,
		Example: "  collimate keys show north/keys/organisation.crt",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			pub, cert, err := publicKey(args[0])
			if err != nil {
				return err
			}
			if cert == nil {
				return a.printKey(pub, [2]string{"key", args[0]})
			}
			return a.printKey(pub, [2]string{"certificate", args[0]}, [2]string{"subject", cert.Subject.String()},
				[2]string{"issuer", cert.Issuer.String()}, [2]string{"valid until", cert.NotAfter.UTC().Format(time.DateOnly)})
		},
	}
}

// printKey prints a public key's names and some more lines.
func (a *app) printKey(pub crypto.PublicKey, more ...[2]string) error {
	id, err := keys.IDOf(pub)
	if err != nil {
		return err
	}
	for _, line := range append([][2]string{{"key id", id.String()}, {"oid", id.Alias()}}, more...) {
		fmt.Fprintf(a.stdout, "%-11s  %s\n", line[0], line[1])
	}
	return nil
}

// publicKey reads a public key from a certificate, which it returns too, or from a private key.
func publicKey(file string) (crypto.PublicKey, *x509.Certificate, error) {
	cert, certErr := keystore.LoadCertificate(file)
	if certErr == nil {
		return cert.PublicKey, cert, nil
	}
	signer, keyErr := keystore.Load(file)
	if keyErr == nil {
		return signer.Public(), nil, nil
	}
	if strings.HasSuffix(file, ".crt") {
		return nil, nil, certErr
	}
	return nil, nil, keyErr
}

// party reads whom a flag names: a KeyID, or a file with a certificate or a key.
func party(flag, s string) (keys.ID, error) {
	id, err := keys.ParseID(s)
	if err == nil {
		return id, nil
	}
	pub, _, fileErr := publicKey(s)
	if fileErr != nil {
		return keys.ID{}, usageError{fmt.Errorf("--%s: %q is neither a key id nor a certificate: %w; %w", flag, s, err, fileErr)}
	}
	return keys.IDOf(pub)
}

// certificateBeside is where the certificate of a key file is kept.
func certificateBeside(keyFile string) string {
	return strings.TrimSuffix(keyFile, filepath.Ext(keyFile)) + ".crt"
}
