package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// NSQuery is the namespace of ebXML queries. ITI TF-2: Table V.2.4-1
const NSQuery = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"

// ParseRequest reads a query:AdhocQueryRequest and checks it against the catalogue. It returns either a Query or
// all that is wrong with it, for an AdhocQueryResponse; err is for what is no such request, or exceeds a limit.
// ITI TF-2: 3.18.4.1.2
func ParseRequest(n xmlsec.Node) (q *Query, errs metadata.Errors, err error) {
	if !n.Is(NSQuery, "AdhocQueryRequest") {
		return nil, nil, errors.New("the element is not an AdhocQueryRequest of ebXML RegRep 3.0")
	}
	adhoc, err := n.Only(metadata.NSRIM, "AdhocQuery")
	if err != nil {
		return nil, nil, err
	}
	q = &Query{}
	r := request{q: q, slots: map[string][]metadata.Slot{}}
	option, _ := n.Child(NSQuery, "ResponseOption")
	returnType, _ := option.Attr("", "returnType")
	switch q.Return = ReturnType(strings.TrimSpace(returnType)); q.Return {
	case ObjectRef, LeafClass:
	default:
		r.fail(metadata.RegistryError, "", "returnType of ResponseOption is neither ObjectRef nor LeafClass")
	}
	home, _ := adhoc.Attr("", "home")
	if q.HomeCommunityID = strings.TrimSpace(home); q.HomeCommunityID != "" {
		if oid, ok := strings.CutPrefix(q.HomeCommunityID, "urn:oid:"); !ok || !metadata.IsOID(oid) {
			r.fail(metadata.UnknownCommunity, "", "home of AdhocQuery is not urn:oid: and an OID")
		}
	}
	id, _ := adhoc.Attr("", "id")
	d, known := define(strings.TrimSpace(id))
	if !known {
		r.fail(metadata.UnknownStoredQuery, "", "the id of AdhocQuery is not that of a stored query of this transaction")
		return nil, r.errs, nil
	}
	q.Name = d.name
	if err := r.read(adhoc, d); err != nil {
		return nil, nil, err
	}
	r.check(d)
	if len(r.errs) > 0 {
		return nil, r.errs, nil
	}
	return q, nil, nil
}

// request is a request that is being read.
type request struct {
	q     *Query
	slots map[string][]metadata.Slot // of known parameters that have a value
	errs  metadata.Errors
	// alternatives and patterns are how many values there have been.
	alternatives, patterns int
}

func (r *request) fail(code metadata.ErrorCode, parameter, context string) {
	if parameter != "" {
		context = "$" + parameter + " " + context
	}
	r.errs = append(r.errs, &metadata.Error{Code: code, Context: context})
}

// read collects the parameters.
func (r *request) read(adhoc xmlsec.Node, d definition) error {
	known := map[string]bool{}
	for _, p := range d.parameters {
		known[p.name] = true
	}
	count := 0
	for child := range adhoc.Elements() {
		if !child.Is(metadata.NSRIM, "Slot") {
			continue
		}
		if count++; count > maxParameters {
			return fmt.Errorf("more than %d parameters in one query", maxParameters)
		}
		slot, err := metadata.ParseSlot(child)
		if err != nil {
			return err
		}
		name, _ := strings.CutPrefix(slot.Name, "$")
		switch {
		case !known[name]:
			r.q.Extra = append(r.q.Extra, slot)
		case len(slot.Values) > 0:
			r.slots[name] = append(r.slots[name], slot)
		}
	}
	return nil
}

// check turns parameters into the conditions of the query.
func (r *request) check(d definition) {
	var identified []string
	for _, p := range d.parameters {
		slots := r.slots[p.name]
		if !p.required && (p.kind == ids || p.kind == uniqueIDs) {
			identified = append(identified, p.name)
		}
		switch {
		case len(slots) == 0 && p.required:
			r.fail(metadata.StoredQueryMissingParam, p.name, "is missing")
		case len(slots) > 1 && !p.repeats:
			r.fail(metadata.StoredQueryParamNumber, p.name, "stands more than once")
			continue
		case len(slots) > 0 && p.exclude && len(r.slots[strings.TrimSuffix(p.name, "Exclude")]) > 0:
			r.fail(metadata.StoredQueryParamNumber, p.name, "stands together with the parameter that it is the opposite of")
			continue
		}
		for _, slot := range slots {
			r.parameter(p, slot.Values)
		}
	}
	if len(identified) > 0 {
		given := slices.DeleteFunc(slices.Clone(identified), func(name string) bool { return len(r.slots[name]) == 0 })
		switch len(given) {
		case 0:
			r.fail(metadata.StoredQueryMissingParam, identified[0], "or $"+identified[1]+" is missing, one of them is needed")
		case 1:
		default:
			r.fail(metadata.StoredQueryParamNumber, identified[0], "and $"+identified[1]+" are both there, one of them is allowed")
		}
	}
	for _, p := range d.parameters {
		if f := &r.q.Documents; p.kind == objectTypes && !p.exclude && len(f.Types) == 0 && len(f.NotTypes) == 0 {
			f.Types = slices.Clone(stableOnly)
		}
	}
}

// parameter reads the values of one Slot.
func (r *request) parameter(p parameter, values []string) {
	f := r.q.filter(p.object)
	if p.kind == timeFrom || p.kind == timeTo {
		if len(values) > 1 {
			r.fail(metadata.StoredQueryParamNumber, p.name, "has several values, one is allowed")
			return
		}
		t, err := parseTime(values[0])
		if err != nil {
			r.wrong(p, err)
			return
		}
		f.time(p, t)
		return
	}
	texts, ok := r.texts(p, values)
	if !ok {
		return
	}
	switch p.kind {
	case patientID:
		if !metadata.IsCX(texts[0]) {
			r.wrong(p, errors.New("is a CX, 'id^^^&OID&ISO'"))
			return
		}
		f.PatientID = texts[0]
		if p.object == noObject {
			r.q.SubmissionSets.PatientID, r.q.Folders.PatientID = texts[0], texts[0]
		}
	case statuses:
		for _, s := range texts {
			if status := metadata.Status(s); status == metadata.Approved || status == metadata.Deprecated {
				f.Statuses = append(f.Statuses, status)
			}
		}
		if len(f.Statuses) == 0 {
			r.fail(metadata.StoredQueryMissingParam, p.name, "has no status that is known")
		}
	case objectTypes:
		for _, s := range texts {
			t := metadata.ObjectType(metadata.NormalID(s))
			if p.exclude {
				f.NotTypes = append(f.NotTypes, t)
			} else {
				f.Types = append(f.Types, t)
			}
		}
	case codes:
		condition := CodeCondition{Attribute: p.attribute, Not: p.exclude}
		for _, s := range texts {
			code, err := parseCode(s)
			if err != nil {
				r.wrong(p, err)
				return
			}
			condition.AnyOf = append(condition.AnyOf, code)
		}
		f.Codes = append(f.Codes, condition)
	case authors:
		f.Authors = append(f.Authors, Like{AnyOf: texts, Not: p.exclude})
	case references:
		f.References = append(f.References, Like{AnyOf: texts, Not: p.exclude})
	case sourceIDs:
		f.SourceIDs = texts
	case ids:
		for _, s := range texts {
			r.q.IDs = append(r.q.IDs, metadata.NormalID(s))
		}
	case uniqueIDs:
		r.q.UniqueIDs = texts
	case associationTypes:
		for _, s := range texts {
			r.q.AssociationTypes = append(r.q.AssociationTypes, metadata.AssociationType(s))
		}
	}
}

// texts reads strings, as one or as a list.
func (r *request) texts(p parameter, values []string) (texts []string, ok bool) {
	var err error
	if _, parenthesised := strings.CutPrefix(values[0], "("); !p.single || parenthesised {
		texts, err = parseList(values, maxAlternatives-r.alternatives) // QUIRK: one value in parentheses where there is but one (tk2-16101)
	} else if texts = make([]string, len(values)); len(values) == 1 {
		texts[0], err = parseString(values[0])
	}
	r.alternatives += len(texts)
	if p.kind == authors || p.kind == references {
		if r.patterns += len(texts); r.patterns > maxPatterns {
			err = errManyValues
		}
	}
	if p.single && len(texts) > 1 {
		r.fail(metadata.StoredQueryParamNumber, p.name, "has several values, one is allowed")
		return nil, false
	}
	if err == nil && slices.ContainsFunc(texts, func(s string) bool { return len([]rune(s)) > maxText }) {
		err = fmt.Errorf("has values of at most %d characters", maxText)
	}
	if err != nil {
		r.wrong(p, err)
		return nil, false
	}
	return texts, true
}

// wrong reports a value that is not coded as it has to be. Codes for metadata are not for queries
// (oehf/ipf#306).
func (r *request) wrong(p parameter, want error) {
	r.fail(metadata.RegistryError, p.name, "is not coded as it has to be: it "+want.Error())
}

// time sets one end of a range.
func (f *Filter) time(p parameter, t string) {
	i := slices.IndexFunc(f.Times, func(r TimeRange) bool { return r.Attribute == p.attribute })
	if i < 0 {
		f.Times = append(f.Times, TimeRange{Attribute: p.attribute})
		i = len(f.Times) - 1
	}
	if p.kind == timeFrom {
		f.Times[i].From = t
	} else {
		f.Times[i].To = t
	}
}

// AppendRequest serialises an AdhocQueryRequest. Each alternative of a list is a Value of its own, so that none
// is longer than a registry must take.
func AppendRequest(b []byte, q *Query) []byte {
	d, _ := define(q.Name.ID())
	attribute := func(name, value string) {
		b = append(b, ` `+name+`="`...)
		b = append(xmlsec.EscapeAttr(b, value), '"')
	}
	b = append(b, `<query:AdhocQueryRequest xmlns:query="`+NSQuery+`" xmlns:rim="`+metadata.NSRIM+`">`...)
	b = append(b, `<query:ResponseOption returnComposedObjects="true"`...)
	attribute("returnType", string(q.Return))
	b = append(b, `/><rim:AdhocQuery`...)
	attribute("id", q.Name.ID())
	if q.HomeCommunityID != "" {
		attribute("home", q.HomeCommunityID)
	}
	b = append(b, '>')
	for _, p := range d.parameters {
		for _, values := range p.values(q) {
			b = metadata.AppendSlot(b, metadata.Slot{Name: "$" + p.name, Values: values})
		}
	}
	for _, slot := range q.Extra {
		b = metadata.AppendSlot(b, slot)
	}
	return append(b, `</rim:AdhocQuery></query:AdhocQueryRequest>`...)
}

// values returns the values of the Slots of a parameter, one list for each Slot.
func (p parameter) values(q *Query) [][]string {
	f := q.filter(p.object)
	var slots [][]string
	add := func(texts []string) {
		var values []string
		for _, s := range texts {
			if s = quote(s); !p.single {
				s = "(" + s + ")"
			}
			values = append(values, s)
		}
		if len(values) > 0 {
			slots = append(slots, values)
		}
	}
	switch p.kind {
	case patientID:
		if f.PatientID != "" {
			add([]string{f.PatientID})
		}
	case statuses:
		add(texts(f.Statuses))
	case objectTypes:
		if p.exclude {
			add(texts(f.NotTypes))
		} else {
			add(texts(f.Types))
		}
	case codes:
		for _, c := range f.Codes {
			if c.Attribute == p.attribute && c.Not == p.exclude {
				var ce []string
				for _, code := range c.AnyOf {
					ce = append(ce, code.Value+"^^"+code.Scheme)
				}
				add(ce)
			}
		}
	case authors, references:
		likes := f.Authors
		if p.kind == references {
			likes = f.References
		}
		for _, l := range likes {
			if l.Not == p.exclude {
				add(l.AnyOf)
			}
		}
	case timeFrom, timeTo:
		for _, t := range f.Times {
			value := t.From
			if p.kind == timeTo {
				value = t.To
			}
			if t.Attribute == p.attribute && value != "" {
				slots = append(slots, []string{value}) // a number has no quotes
			}
		}
	case sourceIDs:
		add(f.SourceIDs)
	case ids:
		add(q.IDs)
	case uniqueIDs:
		add(q.UniqueIDs)
	case associationTypes:
		add(texts(q.AssociationTypes))
	}
	return slots
}

// texts returns names as strings.
func texts[T ~string](names []T) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = string(name)
	}
	return out
}
