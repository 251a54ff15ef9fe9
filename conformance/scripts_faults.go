package conformance

// registerFaults are submissions that a registry must refuse, beyond what toolkit2 sends, each with its code.
func registerFaults() script {
	edited := func(name string, edit func(*session, *submission)) recipe {
		r := oneDocument("ITI-42." + name)
		r.edit = edit
		return r
	}
	badCode := func(attribute string) recipe {
		return edited(attribute, func(_ *session, sub *submission) {
			remove(sub.documents[0].element, attribute)
			addCode(sub.documents[0].element, attribute, Code{"not-configured", "1.2.3.4", ""})
			sortChildren(sub.documents[0].element)
		})
	}
	twice := recipe{name: "ITI-42.twice", documents: []document{{}, {}}, edit: func(_ *session, sub *submission) {
		setUniqueID(&sub.documents[1], sub.documents[0].uniqueID)
	}}
	unresolved := edited("unresolved", func(_ *session, sub *submission) { sub.associate("RPLC", sub.documents[0].id, newID()) })
	again := oneDocument("ITI-42.again")
	again.again = "11990.S"
	of := func(name, slot, value string) recipe {
		return edited(name, func(_ *session, sub *submission) { setSlot(sub.documents[0].element, slot, value) })
	}
	return script{"ITI-42", "ITI TF-2: 3.42.4.1.3; ITI TF-3: 4.2, 4.3; Gazelle ITI42; toolkit2 VAL-MD", []step{
		submit("unresolved", "A replacement of a document that is not there is refused", unresolved, refusedAs("UnresolvedReferenceException")),
		submit("deprecated", "A replacement of a Deprecated document is refused", relatesTo("ITI-42.deprecated", "RPLC", "orig.D0"), refusedAs("XDSRegistryDeprecatedDocumentError")),
		submit("duplicate set", "A SubmissionSet whose uniqueId is taken is refused", again, refusedAs("XDSDuplicateUniqueIdInRegistry")),
		submit("duplicate in message", "Two documents with one uniqueId are refused", twice, refusedAs("XDSRegistryDuplicateUniqueIdInMessage")),
		submit("size", "A size that is no number is refused", of("size", "size", "large"), refusedAs("XDSRegistryMetadataError")),
		submit("hash", "A hash that is no SHA-1 is refused", of("hash", "hash", "0123"), refusedAs("XDSRegistryMetadataError")),
		submit("time", "A time that is no DTM is refused", of("time", "creationTime", "2006-12-24"), refusedAs("XDSRegistryMetadataError")),
		submit("order of times", "A service that ends before it starts is refused", of("order", "serviceStopTime", "20061222"), refusedAs("XDSRegistryMetadataError")),
		submit("code", "A classCode that the domain does not have is refused", badCode("classCode"), refusedAs("XDSRegistryMetadataError")),
		submit("no set", "A submission without uniqueId of its SubmissionSet is refused", edited("set", func(_ *session, sub *submission) {
			setUniqueID(&sub.set, "")
		}), refusedAs("XDSRegistryMetadataError")),
		submit("unlinked", "A document that no SubmissionSet holds is refused", edited("unlinked", func(_ *session, sub *submission) {
			sub.associations = nil
		}), refusedAs("XDSRegistryMetadataError")),
	}}
}
