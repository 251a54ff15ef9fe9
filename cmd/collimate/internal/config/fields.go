package config

import (
	"strings"
)

// variablePrefix begins the environment variables that override keys.
const variablePrefix = "COLLIMATE_"

// PathVariable names the configuration file for commands that are not given --config.
const PathVariable = "COLLIMATE_CONFIG"

// field is one key: where it stands, what it is by default, what it means, and where its value goes.
type field struct {
	section, key string
	value        string // default; lists with commas; empty if there is none
	doc          string
	into         value
}

// name is section.key.
func (f field) name() string { return f.section + "." + f.key }

// variable is the environment variable that overrides the key.
func (f field) variable() string {
	return variablePrefix + strings.ToUpper(f.section+"_"+f.key)
}

// isList reports whether the key takes a sequence.
func (f field) isList() bool {
	switch f.into.(type) {
	case list, words, paths, namedFiles, inboxes:
		return true
	}
	return false
}

// fields is the one table of keys. It drives reading, the environment, the commented file, and the reference.
func (c *Config) fields() []field {
	return []field{
		{"organisation", "name", "", "What the organisation is called, in certificates and logs.",
			text{&c.Organisation.Name}},
		{"organisation", "roles", "", "What it does here: source (publishes studies and answers for them), consumer\n(is the repository of its own XDS consumers), validator (takes part in making blocks).",
			list{&c.Organisation.Roles, oneOf(Roles())}},
		{"organisation", "data", "data", "The directory of all that is stored: ledger, archive, catalog, audit trail.\nThe catalog holds the salts of the published studies: back it up as you back up keys.",
			path{&c.Organisation.Data}},
		{"organisation", "key", "keys/organisation.key", "The private key by which the ledger knows the organisation, PKCS#8 in PEM, readable\nby its owner only. ECDSA P-256 or P-384, RSA of at least 2048 bits, or Ed25519.",
			path{&c.Organisation.Key}},
		{"organisation", "certificate", "keys/organisation.crt", "A certificate of that key, self-signed or not: what the source presents in TLS, and\nwhat signed requests carry. Others check its key against the ledger, not its issuer.",
			path{&c.Organisation.Certificate}},

		{"network", "genesis", "genesis.json", "The network's first block, the same file at every member. See 'collimate genesis create'.",
			path{&c.Network.Genesis}},
		{"network", "members", "members.json", "The address book of the network: who may connect, and where to reach them.",
			path{&c.Network.Members}},
		{"network", "listen", "127.0.0.1:8443", "Where the other nodes reach this one, over QUIC (UDP).",
			address{&c.Network.Listen}},
		{"network", "heartbeat", "10s", "How long the ledger may stand still before a block is made without content, so that\nevery node knows that its view is current. The same at every member.",
			duration{&c.Network.Heartbeat, minHeartbeat, maxHeartbeat}},

		{"network", "sync", "auto", "How a new node comes by the state: auto, by a snapshot of a peer if the network is older than a few\nminutes; snapshot, by that or not at all; replay, by making every block again.",
			choice{&c.Network.Sync, Syncs()}},
		{"network", "trust", "", "A block that the operator believes, HEIGHT:HASH, for a network whose genesis is no longer to be\nrelied on. Get it from another operator.",
			checked{&c.Network.Trust, trusted}},
		{"network", "snapshot_every", "0", "After how many blocks a snapshot is made for nodes that join: 0 for as many as is usual, -1 for\nnever.",
			number{&c.Network.SnapshotEvery, -1, maxBlocks}},
		{"network", "retain_blocks", "0", "How many blocks are kept: 0 for all, with which the ledger can be verified from its beginning.",
			number{&c.Network.RetainBlocks, 0, maxBlocks}},

		{"ledger", "listen", "127.0.0.1:8442", "The HTTP API of the ledger node: status, records, submitting signed transactions.\nIt hands out nothing secret and takes only what is signed.",
			address{&c.Ledger.Listen}},
		{"ledger", "origins", "", "Whose web pages may use that API, such as https://wallet.example; * lets everybody's read.",
			list{&c.Ledger.Origins, origin}},
		{"ledger", "proxies", "", "Reverse proxies before that API, addresses or networks: what they say of where a request came\nfrom is believed.",
			list{&c.Ledger.Proxies, prefix}},
		{"ledger", "rate", "100", "How many requests a second one address may make of it.",
			number{&c.Ledger.Rate, 1, 1_000_000}},

		{"source", "listen", "", "Where the source answers other organisations and our own systems, over TLS with the organisation's\nkey: registry (ITI-18, 42, 61), repository (ITI-41, 43, RAD-68), images (RAD-69).",
			address{&c.Source.Listen}},
		{"source", "url", "", "How others reach that listener, scheme and host and port. It stands on the ledger, and\nrequests are signed for it.",
			httpsURL{&c.Source.URL}},
		{"source", "oids", "", "Repository OIDs that the organisation already owns; the ledger maps them to its key.",
			list{&c.Source.OIDs, oid}},
		{"source", "id", "", "The KeyID by which the ledger names the source, if its key has been rotated since.",
			checked{&c.Source.ID, keyID}},
		{"source", "emergency_groups", "", "Groups whose members may take a study without a grant in an emergency, in the open: the ids\nof their records on the ledger.",
			list{&c.Source.EmergencyGroups, keyID}},
		{"source", "staleness", "2m", "How old the last block may be before the source refuses every request.",
			duration{&c.Source.Staleness, minStaleness, maxStaleness}},
		{"source", "reply_to", "", "Where answers may be sent instead of back, if a request asks for it in wsa:ReplyTo: https URLs,\nand all beneath one that ends in /. URL=CERTIFICATE pins the receiver to the key of a certificate,\na URL alone has it checked by the authorities of the system. Receivers are shown the listener's\ncertificate. Empty: answers go back, and requests that ask for anything else are refused.",
			inboxes{&c.Source.ReplyTo}},
		{"source", "institution", "", "The institution's name in the manifests that the source makes.",
			text{&c.Source.Institution}},
		{"source", "retrieve_ae_title", "", "The AE title from which the images can be had, in the manifests.",
			text{&c.Source.RetrieveAETitle}},
		{"source", "manifest", ManifestKOS, "The kind of manifest of studies that are published from now on: kos, as XDS-I.b has it; mado, which\ndescribes series and instances too (IHE MADO, Trial Implementation) and wants source.institution and\nregistry.accession_authority.",
			choice{&c.Source.Manifest, []string{ManifestKOS, ManifestMADO}}},

		{"archive", "kind", KindFS, "Where the images are: fs, files in DATA/archive that Collimate keeps itself; dicomweb, a PACS that\nspeaks DICOMweb; dimse, a PACS by DICOM query/retrieve.",
			choice{&c.Archive.Kind, Kinds()}},
		{"archive", "url", "", "The root of the DICOMweb services (dicomweb), such as https://pacs.example/dicom-web.",
			checked{&c.Archive.URL, rootURL}},
		{"archive", "user", "", "The user for the PACS (dicomweb), if it asks for one.",
			text{&c.Archive.User}},
		{"archive", "password_file", "", "A file with that user's password, readable by its owner only.",
			path{&c.Archive.PasswordFile}},
		{"archive", "token_file", "", "A file with a bearer token, instead of user and password, likewise. It is read for each request\nanew, so another program may renew it.",
			path{&c.Archive.TokenFile}},
		{"archive", "plain", "no", "Whether http may go to another machine: names, images and password then travel for all to read.",
			flag{&c.Archive.Plain}},
		{"archive", "address", "", "The host:port of the PACS (dimse).",
			checked{&c.Archive.Address, hostPort}},
		{"archive", "ae_title", "", "The AE title of the PACS (dimse).",
			checked{&c.Archive.AETitle, aeTitle}},
		{"archive", "our_ae_title", "COLLIMATE", "Ours, which the PACS has to know (dimse).",
			checked{&c.Archive.OurAETitle, aeTitle}},
		{"archive", "retrieve", RetrieveGet, "How images come from the PACS (dimse): get, by C-GET; move, by C-MOVE to our receiver, which the\nPACS has to know with host and port.",
			choice{&c.Archive.Retrieve, []string{RetrieveGet, RetrieveMove}}},
		{"archive", "tls", "no", "Whether DICOM is spoken over TLS (dimse); dicomweb does so for https.",
			flag{&c.Archive.TLS}},
		{"archive", "ca", "", "The authorities of the certificate of the PACS, in PEM; those of the system if none are named.",
			path{&c.Archive.CA}},
		{"archive", "certificate", "", "What we show the PACS in TLS, if it asks for that.",
			path{&c.Archive.Certificate}},
		{"archive", "key", "", "The private key of that certificate.",
			path{&c.Archive.Key}},
		{"archive", "timeout", "1m", "How long the PACS may be silent.",
			duration{&c.Archive.Timeout, minTimeout, maxTimeout}},
		{"archive", "transcoder", "", "A program for transfer syntaxes that Collimate does not make itself, with its arguments, in which\n{in}, {out} and {syntax} are replaced: [/usr/bin/gdcmconv, --raw, '{in}', '{out}'].",
			words{&c.Archive.Transcoder}},
		{"archive", "transcoder_syntaxes", "", "The UIDs of the transfer syntaxes that the program makes.",
			list{&c.Archive.TranscoderSyntaxes, oid}},

		{"receiver", "listen", "", "Where modalities and the PACS send images by DICOM (C-STORE); nowhere if it is empty.",
			address{&c.Receiver.Listen}},
		{"receiver", "ae_title", "COLLIMATE", "The AE title under which it is called.",
			checked{&c.Receiver.AETitle, aeTitle}},
		{"receiver", "peers", "", "Who may send, as AE=NETWORK, such as CT1=10.1.0.0/16 or PACS=10.2.3.4; an AE title with two\nnetworks comes twice.",
			list{&c.Receiver.Peers, peer}},
		{"receiver", "certificate", "", "The certificate with which it speaks TLS, if it is to.",
			path{&c.Receiver.Certificate}},
		{"receiver", "key", "", "The private key of that certificate.",
			path{&c.Receiver.Key}},
		{"receiver", "client_ca", "", "The authorities of those who may send, in PEM; needed with a certificate.",
			path{&c.Receiver.ClientCA}},

		{"registry", "store", StoreSQLite, "Where the registry is kept: sqlite, in DATA/registry.db; or a PostgreSQL database, as\npostgres://user@host:5432/database?sslmode=verify-full.",
			checked{&c.Registry.Store, storeName}},
		{"registry", "password_file", "", "A file with the password for PostgreSQL, readable by its owner only.",
			path{&c.Registry.PasswordFile}},
		{"registry", "submitters", "", "The TLS or signing certificates of the organisation's own systems: they may register and submit\ndocuments (ITI-41, ITI-42, ITI-61, RAD-68) and see all of the registry.",
			paths{&c.Registry.Submitters}},
		{"registry", "codes", "", "The codes of the affinity domain, a codes.xml as toolkit2 and Gazelle have it: submissions are held\nagainst it. Any code is taken if it is empty.",
			path{&c.Registry.Codes}},
		{"registry", "patient_authority", "", "The OID of who assigns the archive's patient ids; the organisation's own alias if it is empty.",
			checked{&c.Registry.PatientAuthority, oid}},
		{"registry", "accession_authority", "", "The OID of who assigns accession numbers, if it is to be said.",
			checked{&c.Registry.AccessionAuthority, oid}},
		{"registry", "language", "en", "The language of what is published (RFC 5646).",
			text{&c.Registry.Language}},
		{"registry", "time_zone", "Local", "The time zone of the archive's dates and times, such as Europe/Berlin; Local is this machine's.",
			checked{&c.Registry.TimeZone, timeZone}},
		{"registry", "class_code", "", "The codes of published studies, each CODE^DISPLAY^SYSTEM; ones that are usual for imaging if empty.",
			checked{&c.Registry.Class, displayedCode}},
		{"registry", "type_code", "", "Likewise: what kind of document.",
			checked{&c.Registry.Type, displayedCode}},
		{"registry", "practice_setting_code", "", "Likewise: the clinical speciality.",
			checked{&c.Registry.PracticeSetting, displayedCode}},
		{"registry", "facility_code", "", "Likewise: the kind of organisation.",
			checked{&c.Registry.Facility, displayedCode}},
		{"registry", "confidentiality_code", "", "Likewise: how confidential.",
			checked{&c.Registry.Confidentiality, displayedCode}},
		{"registry", "content_type_code", "", "Likewise: of the submission sets in which studies are registered.",
			checked{&c.Registry.ContentType, displayedCode}},
		{"registry", "format_code", "", "Likewise: the format of a whole study, a ZIP laid out as IHE PDI has it.",
			checked{&c.Registry.Format, displayedCode}},
		{"registry", "max_document_mb", "4096", "How large a document may be that is submitted, in units of 1,048,576 bytes.",
			number{&c.Registry.MaxDocumentMB, 1, maxDocumentMB}},

		{"publishing", "watch", "no", "Whether what comes into the archive is published, and what changes or vanishes there followed.",
			flag{&c.Publishing.Watch}},
		{"publishing", "from", "", "From which day on: studies dated or come before are left to 'collimate study backfill'. A date such\nas 2026-11-21, or all.",
			checked{&c.Publishing.From, day}},
		{"publishing", "interval", "1m", "How often the archive is asked for what is new.",
			duration{&c.Publishing.Interval, minInterval, maxInterval}},
		{"publishing", "full", "1h", "How often it is asked for all that it has.",
			duration{&c.Publishing.Full, minInterval, maxInterval}},
		{"publishing", "stable", "10m", "How long a study must have been the same before it is published or amended: longer than a modality\npauses between two series.",
			duration{&c.Publishing.Stable, minInterval, maxInterval}},
		{"publishing", "grace", "24h", "How long a study must have been gone from the archive before it is withdrawn.",
			duration{&c.Publishing.Grace, minInterval, maxGrace}},
		{"publishing", "max_vanished", "50", "How many studies may be gone at once; if there are more, none is withdrawn, as the archive is amiss.",
			number{&c.Publishing.MaxVanished, 1, 1_000_000}},

		{"requesters", "min_tier", "A", "The weakest evidence of who asks that the source accepts: A, a signature over the message;\nB, a SAML assertion with the holder's key; C, a bearer assertion or a TLS certificate.",
			choice{&c.Requesters.MinTier, Tiers()}},
		{"requesters", "issuers", "", "Identity providers whose SAML assertions (XUA) are believed, as NAME=CERTIFICATE: the name\nis the assertion's Issuer. Without any, messages with an assertion are refused.",
			namedFiles{&c.Requesters.Issuers}},
		{"requesters", "audiences", "", "URIs of which an assertion's audience must hold one.",
			list{&c.Requesters.Audiences, uri}},
		{"requesters", "roles", "", "The roles that an assertion may state, as CODE^^SYSTEM; it must state one, and none else.\nEmpty: any, or none.",
			list{&c.Requesters.Roles, code}},
		{"requesters", "purposes_of_use", "", "The purposes of use that an assertion may state, likewise.",
			list{&c.Requesters.Purposes, code}},
		{"requesters", "certificates", "", "Certificates that messages may refer to without holding them.",
			paths{&c.Requesters.Certificates}},
		{"requesters", "allow_der", "", "KeyIDs of peers that may write ECDSA signatures in DER, as gSOAP does.",
			list{&c.Requesters.AllowDER, keyID}},
		{"requesters", "allow_sha1", "", "KeyIDs of peers that may sign with SHA-1, each message of which is logged. It is broken:\nname none that can do better.",
			list{&c.Requesters.AllowSHA1, keyID}},

		{"consumer", "listen", "", "Where the organisation's own XDS consumers send plain ITI-43 requests, over mutual TLS.",
			address{&c.Consumer.Listen}},
		{"consumer", "url", "", "How they reach that listener, scheme and host and port.",
			httpsURL{&c.Consumer.URL}},
		{"consumer", "key", "keys/consumer-tls.key", "The private key of that listener.",
			path{&c.Consumer.Key}},
		{"consumer", "certificate", "keys/consumer-tls.crt", "Its certificate, issued by an authority that the consumers trust.",
			path{&c.Consumer.Certificate}},
		{"consumer", "client_ca", "keys/ca.crt", "The authority of the consumers' certificates: whom it vouches for may retrieve in the\norganisation's name.",
			path{&c.Consumer.ClientCA}},
		{"consumer", "reply_to", "", "Where answers may be sent instead of back, as source.reply_to.",
			inboxes{&c.Consumer.ReplyTo}},

		{"admin", "listen", "127.0.0.1:0", "Where 'collimate study publish' and the like reach the running server, on loopback only;\nport 0 takes any free one. URL and token are written to admin.json in the data directory.",
			loopback{&c.Admin.Listen}},

		{"log", "format", "text", "text or json.",
			choice{&c.Log.Format, LogFormats()}},
		{"log", "level", "info", "debug, info, warn or error.",
			choice{&c.Log.Level, LogLevels()}},
	}
}

// section is a section's keys by name, and those names in the order of the table.
type section struct {
	keys  map[string]field
	names []string
}

// sections groups the table by section.
func sections(fields []field) map[string]section {
	all := map[string]section{}
	for _, f := range fields {
		s := all[f.section]
		if s.keys == nil {
			s.keys = map[string]field{}
		}
		s.keys[f.key] = f
		s.names = append(s.names, f.key)
		all[f.section] = s
	}
	return all
}
