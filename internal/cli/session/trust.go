package session

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
)

// trustFlags are what a user answers for himself: rules against strangers do not hold
// there.
type trustFlags struct {
	CA        caFlag
	LAN       lanFlag
	downgrade bool
}

// add adds all of these flags to a command; AddFetch, those that concern a source by URL;
// AddTrackers, those that concern trackers.
func (t *trustFlags) add(cmd *cobra.Command) {
	t.AddFetch(cmd)
	t.addLAN(cmd)
}

func (t *trustFlags) AddFetch(cmd *cobra.Command) {
	t.addCA(cmd)
	cmd.Flags().BoolVar(&t.downgrade, "allow-downgrade", false, "follow a redirect from https to http to a .torrent file")
}

func (t *trustFlags) AddTrackers(cmd *cobra.Command) {
	t.addCA(cmd)
	t.addLAN(cmd)
}

func (t *trustFlags) addCA(cmd *cobra.Command) {
	cmd.Flags().Var(&t.CA, "ca-file", "trust the certificates in this file besides the system's")
	cmd.MarkFlagFilename("ca-file")
}

func (t *trustFlags) addLAN(cmd *cobra.Command) {
	cmd.Flags().Var(&t.LAN, "allow-lan-trackers", "ask trackers at this name, address or network of the LAN (repeat for more)")
}

// apply says the same to an engine.
func (t *trustFlags) apply(cfg *shoal.Config) {
	cfg.RootCAs, cfg.LANTrackers = t.CA.Pool, t.LAN
}

func (n Flags) FetchOptions() shoal.FetchOptions {
	return shoal.FetchOptions{From: n.Listen, RootCAs: n.Trust.CA.Pool, Downgrade: n.Trust.downgrade}
}

// caFlag is a file of certificates that are trusted besides those of the system.
type caFlag struct {
	name string
	Pool *x509.CertPool
}

func (c *caFlag) Type() string   { return "FILE" }
func (c *caFlag) String() string { return c.name }

// Set reads the file: a mistake shows at once, not when a tracker fails.
func (c *caFlag) Set(name string) error {
	pem, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("it has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----")
	}
	c.name, c.Pool = name, pool
	return nil
}

// lanFlag collects where trackers may be in the local network.
type lanFlag []string

func (l *lanFlag) Type() string   { return "HOST" }
func (l *lanFlag) String() string { return cmdline.Joined(*l) }

// Repeats says that the flag may be given several times.
func (l *lanFlag) Repeats() {}

func (l *lanFlag) Set(text string) error {
	_, aerr := netip.ParseAddr(text)
	_, perr := netip.ParsePrefix(text)
	if aerr != nil && perr != nil && !cmdline.IsHostName(text) {
		return fmt.Errorf("write a host name, an address or a network, like tracker.lan, 192.168.1.4 or 10.0.0.0/8")
	}
	*l = append(*l, text)
	return nil
}
