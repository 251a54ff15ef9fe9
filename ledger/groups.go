package ledger

import (
	"bytes"
	"slices"
)

// sortedGroups returns groups in the order of the encoding.
func sortedGroups(groups []StudyID) []StudyID {
	return slices.SortedFunc(slices.Values(groups), func(a, b StudyID) int { return bytes.Compare(a[:], b[:]) })
}

// checkGroups accepts at most MaxGroups groups in ascending order. ledger-spec 5.1
func checkGroups(groups []StudyID) error {
	if len(groups) > MaxGroups {
		return outOfBounds("%d groups are admitted in emergencies, at most %d are allowed", len(groups), MaxGroups)
	}
	for i, g := range groups {
		if i > 0 && bytes.Compare(groups[i-1][:], g[:]) >= 0 {
			return outOfBounds("the groups are not in ascending order without repetition")
		}
	}
	return nil
}
