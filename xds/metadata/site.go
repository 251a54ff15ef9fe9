package metadata

import (
	"errors"
	"fmt"
	"strings"

	"collimate/xmlsec"
)

// Site is where the actors of one organisation are, as the IHE toolkit writes it in its directory of actors.
type Site struct {
	Name            string
	HomeCommunityID string // urn:oid:..., or empty
	Endpoints       []Endpoint
}

// Endpoint is where one transaction goes.
type Endpoint struct {
	// Name is what the toolkit calls the transaction, such as "sq.b"; "repository" for ITI-43 to a repository
	// with a RepositoryUniqueID.
	Name string
	// Transaction is its ID, such as "ITI-18", empty if it is not known.
	Transaction string
	// RepositoryUniqueID is set for repositories.
	RepositoryUniqueID string
	Secure             bool // over TLS
	Asynchronous       bool
	URL                string
}

// siteTransactions maps the toolkit's short names. (TransactionType of iheos-toolkit2)
var siteTransactions = map[string]string{
	"sq.b": "ITI-18", "r.b": "ITI-42", "pr.b": "ITI-41", "ret.b": "ITI-43", "rodde": "ITI-61",
	"xcq": "ITI-38", "xcr": "ITI-39", "igq": "ITI-18", "igr": "ITI-43", "mpq": "ITI-51", "update": "ITI-57",
	"repository": "ITI-43", "ret.ids": "RAD-69", "ret.ids.b": "RAD-69",
}

// ParseSite reads a site file of the IHE toolkit.
func ParseSite(b []byte) (*Site, error) {
	doc, err := xmlsec.Parse(b, xmlsec.Limits{MaxBytes: maxSiteFile, MaxNodes: 8 * maxEndpoints, MaxDepth: 8})
	if err != nil {
		return nil, fmt.Errorf("reading a site: %w", err)
	}
	root := doc.Root()
	if root.Local() != "site" {
		return nil, errors.New("reading a site: the root element is not site")
	}
	site := &Site{Name: attr(root, "name")}
	if site.Name == "" {
		return nil, errors.New("reading a site: it has no name")
	}
	for child := range root.Elements() {
		text, err := child.Text()
		if err != nil {
			return nil, fmt.Errorf("reading a site: %w", err)
		}
		text = strings.TrimSpace(text)
		switch child.Local() {
		case "home":
			if text != "" && !isHomeCommunityID(text) {
				return nil, errors.New("reading a site: home is not a urn:oid")
			}
			site.HomeCommunityID = text
		case "transaction", "repository":
			if len(site.Endpoints) == maxEndpoints {
				return nil, fmt.Errorf("reading a site: more than %d endpoints", maxEndpoints)
			}
			e := Endpoint{Name: attr(child, "name"), URL: text}
			e.Secure, e.Asynchronous = isTrue(attr(child, "secure")), isTrue(attr(child, "async"))
			if child.Local() == "repository" {
				e.Name, e.RepositoryUniqueID = "repository", attr(child, "uid")
				if !IsOID(e.RepositoryUniqueID) {
					return nil, errors.New("reading a site: the uid of a repository is not an OID")
				}
			}
			if e.Name == "" || !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
				return nil, fmt.Errorf("reading a site: endpoint %d has no name or no http address", len(site.Endpoints)+1)
			}
			e.Transaction = siteTransactions[e.Name]
			site.Endpoints = append(site.Endpoints, e)
		}
	}
	return site, nil
}

// URL returns where a transaction goes, synchronously: over TLS if it can; empty if the site does not say.
func (s *Site) URL(transaction string) (url, repositoryUniqueID string) {
	for _, e := range s.Endpoints {
		if e.Transaction == transaction && !e.Asynchronous && (url == "" || e.Secure) {
			if url, repositoryUniqueID = e.URL, e.RepositoryUniqueID; e.Secure {
				break
			}
		}
	}
	return url, repositoryUniqueID
}

func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }
