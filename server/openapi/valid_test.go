//go:build !race

// For the race detector the library takes minutes to be compiled, and nothing here runs at once.

package openapi_test

import (
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// TestValid has a library that knows OpenAPI 3.1 read the document.
func TestValid(t *testing.T) {
	doc, err := libopenapi.NewDocument(document(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.BuildV3Model(); err != nil {
		t.Errorf("model: %v", err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, failures := v.ValidateDocument(); !ok {
		for _, f := range failures {
			t.Errorf("%s: %s", f.Message, f.Reason)
			for _, e := range f.SchemaValidationErrors {
				t.Errorf("  %s: %s", e.FieldPath, e.Reason)
			}
		}
	}
}
