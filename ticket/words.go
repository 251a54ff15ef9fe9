package ticket

import (
	"maps"
	"slices"
)

// words is the page in one language, in words that need no knowledge of computers or medicine.
type words struct {
	ticket          string // over the page
	title, lead     string
	steps           [3]step
	keep, lost      step
	number          string // of the ticket
	accession, date string
	letters         string // what the code at the foot is
}

// step is something to do, and how.
type step struct{ head, body string }

// languages is the table of all languages, by their tag (RFC 5646). One more is one more entry: nothing else changes.
var languages = map[string]words{
	"en": {
		ticket: "Claim ticket",
		title:  "Your images are yours to share",
		lead: "With this page you decide who may see the images of your examination. Other hospitals and doctors " +
			"get them only if you let them in.",
		steps: [3]step{
			{"Scan the square", "Open the wallet that we have shown you, on a phone or a computer, and let it read the square."},
			{"Choose who may look", "Pick a hospital or a doctor, and for how long."},
			{"Change your mind", "You can end it at any time, in the same place."},
		},
		keep: step{"Keep this page like a key",
			"Whoever scans it first can act as the owner of your images. Do not post it, send it on, or let others photograph it."},
		lost: step{"Is it lost, or has somebody else seen it?",
			"Tell us the ticket number, and we stop all access until it is settled. Your name is not on this page, so that " +
				"whoever finds it does not learn whose images these are."},
		number:    "Ticket number",
		accession: "Accession number",
		date:      "Date of examination",
		letters:   "The square in letters, for a computer without a camera:",
	},
}

// Languages lists the tags of the languages that a page can be in.
func Languages() []string { return slices.Sorted(maps.Keys(languages)) }
