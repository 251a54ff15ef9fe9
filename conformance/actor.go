package conformance

import (
	"fmt"
	"slices"
)

// Actor is a part that a system plays in IHE's terms.
type Actor string

// The actors.
const (
	// Retrieval is a Document Repository, or an Initiating Gateway, as far as ITI-43 goes.
	Retrieval Actor = "retrieval"
	// Registry is a Document Registry: ITI-42, ITI-18.
	Registry Actor = "registry"
	// Repository is a Document Repository: ITI-41, ITI-43.
	Repository Actor = "repository"
	// OnDemand is an On-Demand Document Source with its registry: ITI-61, ITI-43.
	OnDemand Actor = "on-demand"
	// Imaging is an Imaging Document Source: RAD-69, and the manifests of RAD-68.
	Imaging Actor = "imaging"
)

// Actors are all of them, in the order in which they are best judged.
var Actors = []Actor{Retrieval, Registry, Repository, OnDemand, Imaging}

// ParseActor returns the actor of that name.
func ParseActor(name string) (Actor, error) {
	if a := Actor(name); slices.Contains(Actors, a) {
		return a, nil
	}
	return "", fmt.Errorf("there is no actor %q; there are %v", name, Actors)
}

// Checks returns the checks of an actor.
func (a Actor) Checks() []Check {
	switch a {
	case Retrieval:
		return Checks()
	case Registry:
		return slices.Concat(checks(registryScripts()), ruleChecks(a, registerDocumentSet, storedQuery))
	case Repository:
		return slices.Concat(checks(repositoryScripts()), ruleChecks(a, provideAndRegister, retrieveDocumentSet))
	case OnDemand:
		return slices.Concat(checks(onDemandScripts()), ruleChecks(a, registerOnDemand, storedQuery, retrieveDocumentSet))
	case Imaging:
		return slices.Concat(checks(imagingScripts()), ruleChecks(a, retrieveImages, storedQuery, retrieveDocumentSet))
	}
	return nil
}
