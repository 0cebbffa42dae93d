-- The evidence of a problem is a message (template, values, context, Chinese template) that each reader sees in his language.
-- What was stored as two finished sentences becomes a message whose templates are these sentences.
UPDATE problem SET body = CAST(json_remove(
    json_set(CAST(body AS TEXT), '$.evidence', json_array(
        json_extract(CAST(body AS TEXT), '$.evidence_en'), json_array(), '',
        json_extract(CAST(body AS TEXT), '$.evidence_zh'))),
    '$.evidence_en', '$.evidence_zh') AS BLOB)
WHERE json_extract(CAST(body AS TEXT), '$.evidence_en') IS NOT NULL;
