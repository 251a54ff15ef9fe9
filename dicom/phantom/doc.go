// Package phantom makes CT studies of a patient who does not exist, for demonstrations and tests.
//
// The object is a test phantom as physicists use: a cylinder of water on a table in air, in it rods of bone,
// acrylic, polyethylene and lung that turn from slice to slice, and a sphere that is cut at another height
// each time. Values are Hounsfield units, with noise, so that no two slices are alike and nothing compresses
// away. Series show the same object, the second and later ones as if by a sharper kernel: with more noise.
//
// A study follows from its Options alone, byte for byte: noise comes from Seed, UIDs are derived from all of
// the Options (under 2.25, DICOM PS3.5 B.2), dates are fixed. The files are CT Image Storage in explicit VR
// little endian with all that the standard requires of it.
package phantom
