// An S3 server for tests: the Versity gateway on a folder.
//
// The gateway keeps an object in the file of its name, so that "a" and "a/b" exclude each other, and a reader may see one
// object's headers with another's bytes. S3 does neither: here an object's file is named by a hash of its key, and readers
// and writers of an object take turns. Lists are of the keys, which are kept in a folder beside the gateway's.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3response"
)

// flat is the gateway's folder with S3's flat space of names.
type flat struct {
	backend.Backend
	turns [256]sync.RWMutex // by the first byte of the hash
	keys  string            // the folder of keys: BUCKET/HASH has the key in it
}

func (f *flat) turn(key *string) (*string, *sync.RWMutex) {
	hash := sha256.Sum256([]byte(*key))
	name := hex.EncodeToString(hash[:])
	return &name, &f.turns[hash[0]]
}

func (f *flat) keep(bucket, name, key string) error {
	folder := filepath.Join(f.keys, bucket)
	if err := os.MkdirAll(folder, 0700); err != nil {
		return err
	}
	whole := filepath.Join(folder, name)
	if err := os.WriteFile(whole+"~", []byte(key), 0600); err != nil {
		return err
	}
	return os.Rename(whole+"~", whole)
}

func (f *flat) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	files, err := os.ReadDir(filepath.Join(f.keys, *in.Bucket))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s3response.ListObjectsV2Result{}, err
	}
	var keys []string
	for _, file := range files {
		key, err := os.ReadFile(filepath.Join(f.keys, *in.Bucket, file.Name()))
		if err != nil || strings.HasSuffix(file.Name(), "~") {
			continue // it was removed, or is not yet whole
		}
		if strings.HasPrefix(string(key), aws.ToString(in.Prefix)) && string(key) > aws.ToString(in.StartAfter) {
			keys = append(keys, string(key))
		}
	}
	slices.Sort(keys)
	limit := 1000
	if in.MaxKeys != nil && *in.MaxKeys < 1000 {
		limit = int(*in.MaxKeys)
	}
	truncated := len(keys) > limit
	if truncated {
		keys = keys[:limit]
	}
	result := s3response.ListObjectsV2Result{Name: in.Bucket, Prefix: in.Prefix, StartAfter: in.StartAfter, IsTruncated: &truncated}
	for _, key := range keys {
		var now time.Time
		var size int64
		result.Contents = append(result.Contents, s3response.Object{Key: &key, LastModified: &now, Size: &size})
	}
	return result, nil
}

func (f *flat) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	name, turn := f.turn(in.Key)
	turn.Lock()
	defer turn.Unlock()
	if err := f.keep(*in.Bucket, *name, *in.Key); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	in.Key = name
	return f.Backend.PutObject(ctx, in)
}

func (f *flat) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	name, turn := f.turn(in.Key)
	turn.Lock()
	defer turn.Unlock()
	renamed := *in
	renamed.Key = name
	if err := os.Remove(filepath.Join(f.keys, *in.Bucket, *name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return f.Backend.DeleteObject(ctx, &renamed)
}

func (f *flat) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	name, turn := f.turn(in.Key)
	turn.RLock()
	defer turn.RUnlock()
	renamed := *in
	renamed.Key = name
	return f.Backend.GetObject(ctx, &renamed)
}

func (f *flat) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	name, turn := f.turn(in.Key)
	turn.RLock()
	defer turn.RUnlock()
	renamed := *in
	renamed.Key = name
	return f.Backend.HeadObject(ctx, &renamed)
}

func (f *flat) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	in.Key, _ = f.turn(in.Key)
	return f.Backend.CreateMultipartUpload(ctx, in)
}

func (f *flat) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	renamed := *in
	renamed.Key, _ = f.turn(in.Key)
	return f.Backend.UploadPart(ctx, &renamed)
}

func (f *flat) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	name, turn := f.turn(in.Key)
	turn.Lock()
	defer turn.Unlock()
	renamed := *in
	renamed.Key = name
	if err := f.keep(*in.Bucket, *name, *in.Key); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	return f.Backend.CompleteMultipartUpload(ctx, &renamed)
}

func (f *flat) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	renamed := *in
	renamed.Key, _ = f.turn(in.Key)
	return f.Backend.AbortMultipartUpload(ctx, &renamed)
}

// s3_server FOLDER HOST:PORT DOMAIN: the folders in FOLDER are the buckets, which DOMAIN also serves as virtual hosts. The
// account is in ROOT_ACCESS_KEY and ROOT_SECRET_KEY.
func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: s3_server FOLDER HOST:PORT DOMAIN")
	}
	folder, err := posix.New(os.Args[1], meta.XattrMeta{}, posix.PosixOpts{Concurrency: 1000})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(embedgw.RunVersityGW(context.Background(), &flat{Backend: folder, keys: os.Args[1] + ".keys"}, &embedgw.Config{
		RootUserAccess:    os.Getenv("ROOT_ACCESS_KEY"),
		RootUserSecret:    os.Getenv("ROOT_SECRET_KEY"),
		Region:            "us-east-1",
		Ports:             []string{os.Args[2]},
		MaxConnections:    1000,
		MaxRequests:       1000,
		MultipartMaxParts: 10000,
		VirtualDomain:     os.Args[3],
		KeepAlive:         true,
		Quiet:             true,
	}))
}
