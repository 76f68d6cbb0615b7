// Package export is the command buildmon export: what is stored, as a file for other
// programs.
package export
