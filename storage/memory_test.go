package storage_test

import (
	"testing"

	"shoal/storage"
	"shoal/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, func(_ *testing.T, files []storage.Entry) storage.Storage { return storage.NewMemory(files) })
}
