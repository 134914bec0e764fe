package eventstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Encrypted returns a codec that encrypts what inner writes with a key for each
// subject: the person, or whoever, that the value is about. Store.Forget
// destroys the key, and then every event of the subject reads as Erased. keys is
// the store's own backend, or whoever else keeps them.
//
//	backend := eventstore.Memory()
//	personal := eventstore.Encrypted(eventstore.JSON(), backend.(eventstore.KeyStore),
//		func(v any) string { return v.(Registered).Customer })
//
// subject must name somebody: "" is an error, so that nothing is stored in the
// clear by mistake. Only Data is encrypted: what is in Stream, Tags, Meta and ID
// stays, so put no names there. Codecs around this one hide its keys from Forget:
// put them inside.
//
// It is AES-256-GCM with a nonce made of the data (HMAC-SHA256 with a key of its
// own, cut to 96 bits; both keys by HKDF from the subject's), like the synthetic
// nonces of RFC 5297 and RFC 8452: the same value of the same subject is the same
// data, so that an append repeated with the same ID is no duplicate. Whoever
// sees the data can tell that two events of a subject are equal, and how long
// they are, nothing else. The codec's layout and the key's id are authenticated.
//
// A key is looked up for each event; Load and Decide do so once for each key.
func Encrypted(inner Codec, keys KeyStore, subject func(any) string) Codec {
	if inner == nil || keys == nil || subject == nil {
		panic("eventstore: Encrypted: the codec, the KeyStore or the function is nil")
	}
	return &encrypted{inner, keys, subject}
}

// encrypted writes: a 1, the length of the key's id, the id, the nonce, what
// GCM makes of the inner data. All before the nonce is authenticated with it.
type encrypted struct {
	inner   Codec
	keys    KeyStore
	subject func(any) string
}

const (
	sealLayout = 1
	nonceSize  = 12
)

// sealer encrypts with one key.
type sealer struct {
	gcm   cipher.AEAD
	nonce []byte // the key that nonces are made with
}

func newSealer(key []byte) (sealer, error) {
	if len(key) != 32 {
		return sealer{}, fmt.Errorf("the KeyStore gave a key of %s: want 32", plural(len(key), "byte"))
	}
	data, err := hkdf.Key(sha256.New, key, nil, "eventstore data", 32)
	if err != nil {
		return sealer{}, err
	}
	nonce, err := hkdf.Key(sha256.New, key, nil, "eventstore nonce", 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(data)
	if err != nil {
		return sealer{}, err
	}
	gcm, err := cipher.NewGCM(block)
	return sealer{gcm, nonce}, err
}

func (c *encrypted) Encode(ctx context.Context, v any) ([]byte, error) {
	subject := c.subject(v)
	if subject == "" {
		return nil, errors.New("encrypted: its subject is empty: say whom it is about, or register the type without Encrypted")
	}
	if err := checkName("subject", subject); err != nil {
		return nil, fmt.Errorf("encrypted: %w", err)
	}
	plain, err := c.inner.Encode(ctx, v)
	if err != nil {
		return nil, err
	}
	id, key, err := c.keys.SubjectKey(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("encrypted: key of the subject: %w", err)
	}
	if id == "" || len(id) > 255 {
		return nil, fmt.Errorf("encrypted: the KeyStore gave an id of %d bytes: want 1 to 255", len(id))
	}
	s, err := newSealer(key)
	if err != nil {
		return nil, fmt.Errorf("encrypted: %w", err)
	}
	head := append([]byte{sealLayout, byte(len(id))}, id...)
	mac := hmac.New(sha256.New, s.nonce)
	mac.Write(plain)
	nonce := mac.Sum(nil)[:nonceSize]
	out := append(slices.Clip(head), nonce...)
	return s.gcm.Seal(out, nonce, plain, head), nil
}

func (c *encrypted) Decode(ctx context.Context, data []byte, into any) error {
	if len(data) < 2 || data[0] != sealLayout || len(data) < 2+int(data[1])+nonceSize {
		return errors.New("encrypted: the data is not of this codec; read what was stored before it with UpcastFrom[Recorded]")
	}
	head, rest := data[:2+int(data[1])], data[2+int(data[1]):]
	s, err := c.sealer(ctx, string(head[2:]))
	if err != nil {
		return fmt.Errorf("encrypted: %w", err)
	}
	plain, err := s.gcm.Open(nil, rest[:nonceSize], rest[nonceSize:], head)
	if err != nil {
		return errors.New("encrypted: the data was changed, or is of another key")
	}
	return c.inner.Decode(ctx, plain, into)
}

// sealer returns that of a key, from the operation's cache if it has one.
func (c *encrypted) sealer(ctx context.Context, id string) (sealer, error) {
	cache, _ := ctx.Value(keyCache{}).(map[keyOf]sealer)
	at := keyOf{c, id}
	if s, ok := cache[at]; ok {
		return s, nil
	}
	key, err := c.keys.KeyByID(ctx, id)
	if err != nil {
		return sealer{}, err
	}
	s, err := newSealer(key)
	if err == nil && cache != nil {
		if len(cache) >= maxKeys {
			clear(cache)
		}
		cache[at] = s
	}
	return s, err
}

// keyCache is the key of a context's map of sealers. It lives as long as one
// Load, in one goroutine: a cache that lived longer would have to be told of
// every Forget, in every process.
type keyCache struct{}

type keyOf struct {
	codec *encrypted
	id    string
}

const maxKeys = 4096

func withKeyCache(ctx context.Context) context.Context {
	return context.WithValue(ctx, keyCache{}, map[keyOf]sealer{})
}
